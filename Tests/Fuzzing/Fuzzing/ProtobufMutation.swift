import TelemetryTesting

/// Changes of a protobuf message that leave it one: fields, not bytes, so that lengths still fit.
enum ProtobufMutation {
  private enum Value {
    case varint(UInt64)
    case fixed([UInt8])
    case bytes([UInt8])
  }

  private struct Field {
    var number: UInt64
    var value: Value
  }

  /// Changes one field, however deep it lies; bytes that are no message are changed as bytes.
  static func change(_ message: inout [UInt8], _ random: inout SeededGenerator) {
    guard var fields = parse(message), !fields.isEmpty else {
      Mutation.change(&message, pool: [], &random)
      return
    }
    let place = Int.random(in: fields.indices, using: &random)
    switch Int.random(in: 0..<12, using: &random) {
    case 0: fields.remove(at: place)
    case 1: fields.append(fields[place])
    case 2: fields[place].number = UInt64.random(in: 1...30, using: &random)
    case 3: fields.swapAt(place, Int.random(in: fields.indices, using: &random))
    default: change(&fields[place].value, &random)
    }
    message = serialize(fields)
  }

  private static func change(_ value: inout Value, _ random: inout SeededGenerator) {
    switch value {
    case .varint: value = .varint(Mutation.edge(&random))
    case .fixed(let bytes):
      let edge = Mutation.edge(&random)
      value = .fixed(bytes.indices.map { UInt8(truncatingIfNeeded: edge >> UInt64(8 * $0)) })
    case .bytes(var bytes):
      switch Int.random(in: 0..<4, using: &random) {
      case 0 where !bytes.isEmpty:
        // One value more or less of a packed column, if it is one of floats.
        if Bool.random(using: &random), bytes.count >= 4 {
          bytes.removeLast(4)
        } else {
          bytes += bytes.suffix(4)
        }
      case 1: Mutation.change(&bytes, pool: [], &random)
      default: change(&bytes, &random)
      }
      value = .bytes(bytes)
    }
  }

  private static func parse(_ message: [UInt8]) -> [Field]? {
    var rest = message[...]
    var fields: [Field] = []
    while !rest.isEmpty {
      guard let tag = varint(&rest), tag >> 3 > 0, tag >> 3 < 1 << 29 else { return nil }
      let value: Value
      switch tag & 7 {
      case 0:
        guard let number = varint(&rest) else { return nil }
        value = .varint(number)
      case 1, 5:
        let size = tag & 7 == 1 ? 8 : 4
        guard rest.count >= size else { return nil }
        value = .fixed(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
      case 2:
        guard let length = varint(&rest), length <= UInt64(rest.count) else { return nil }
        value = .bytes(Array(rest.prefix(Int(length))))
        rest = rest.dropFirst(Int(length))
      default: return nil
      }
      fields.append(Field(number: tag >> 3, value: value))
    }
    return fields
  }

  private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      result |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return result }
    }
    return nil
  }

  private static func serialize(_ fields: [Field]) -> [UInt8] {
    var message: [UInt8] = []
    func append(_ number: UInt64) {
      var number = number
      while number >= 0x80 {
        message.append(UInt8(truncatingIfNeeded: number) | 0x80)
        number >>= 7
      }
      message.append(UInt8(number))
    }
    for field in fields {
      switch field.value {
      case .varint(let number):
        append(field.number << 3)
        append(number)
      case .fixed(let bytes):
        append(field.number << 3 | (bytes.count == 8 ? 1 : 5))
        message += bytes
      case .bytes(let bytes):
        append(field.number << 3 | 2)
        append(UInt64(bytes.count))
        message += bytes
      }
    }
    return message
  }
}
