/// Sets white space anew in well-formed JSON.
struct JSONIndenter {
  private let input: [UInt8]
  private var output: [UInt8] = []
  private var depth = 0
  private var position = 0

  init(_ input: [UInt8]) {
    self.input = input
    output.reserveCapacity(input.count * 2)
  }

  mutating func run() -> String {
    while position < input.count {
      let byte = input[position]
      switch byte {
      case UInt8(ascii: "\""): copyString()
      case UInt8(ascii: "["), UInt8(ascii: "{"): open(byte)
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        depth = max(0, depth - 1)
        breakLine()
        emit(byte)
      case UInt8(ascii: ","):
        emit(byte)
        breakLine()
      case UInt8(ascii: ":"):
        emit(byte)
        output.append(UInt8(ascii: " "))
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"):
        position += 1
      default: emit(byte)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  private mutating func emit(_ byte: UInt8) {
    output.append(byte)
    position += 1
  }

  private mutating func breakLine() {
    output.append(UInt8(ascii: "\n"))
    output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * 2))
  }

  private mutating func open(_ byte: UInt8) {
    if let end = flatEnd() {
      while position <= end {
        switch input[position] {
        case UInt8(ascii: "\""): copyString()
        case UInt8(ascii: ","):
          emit(UInt8(ascii: ","))
          output.append(UInt8(ascii: " "))
        case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"):
          position += 1
        default: emit(input[position])
        }
      }
    } else {
      emit(byte)
      depth += 1
      breakLine()
    }
  }

  /// Where the array or empty object that begins here ends, if it holds no other; else `nil`.
  private func flatEnd() -> Int? {
    let isArray = input[position] == UInt8(ascii: "[")
    var index = position + 1
    while index < input.count {
      switch input[index] {
      case UInt8(ascii: "]"), UInt8(ascii: "}"): return index
      case UInt8(ascii: "["), UInt8(ascii: "{"): return nil
      case UInt8(ascii: "\""):
        guard isArray else { return nil }
        index = end(ofStringAt: index)
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): break
      default: if !isArray { return nil }
      }
      index += 1
    }
    return nil
  }

  private mutating func copyString() {
    let end = min(end(ofStringAt: position), input.count - 1)
    output.append(contentsOf: input[position...end])
    position = end + 1
  }

  /// The position of the closing quote of the string that begins at `start`; the end if there is
  /// none.
  private func end(ofStringAt start: Int) -> Int {
    var index = start + 1
    while index < input.count, input[index] != UInt8(ascii: "\"") {
      index += input[index] == UInt8(ascii: "\\") ? 2 : 1
    }
    return index
  }
}
