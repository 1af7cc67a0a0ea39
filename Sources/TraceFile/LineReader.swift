import CZlib
import Foundation

/// Reads a text file, gzip or plain, a line at a time.
///
/// Holds one line and one block of the file at most.
final class LineReader {
  /// The most bytes that a line may take.
  ///
  /// A step of a model of 10,000 tensors with full histograms takes 8 MB.
  static let maximumLineBytes = 64 << 20

  private let path: String
  private let file: gzFile
  private var block = [UInt8](repeating: 0, count: 1 << 16)
  private var filled = 0
  private var position = 0

  /// Opens a file; which form it has shows in its first bytes, not in its name.
  init(path: String) throws(TraceError) {
    guard let file = gzopen(path, "rb") else {
      throw .unreadable(file: path, reason: Self.reason(errno))
    }
    self.path = path
    self.file = file
  }

  deinit { _ = gzclose(file) }

  /// The next line without its end; `nil` after the last.
  func next() throws(TraceError) -> Data? {
    var line = Data()
    while true {
      if position == filled {
        try fill()
        guard filled > 0 else { return line.isEmpty ? nil : line }
      }
      let rest = block[position..<filled]
      let end = rest.firstIndex(of: UInt8(ascii: "\n"))
      line.append(contentsOf: rest[..<(end ?? filled)])
      guard line.count <= Self.maximumLineBytes else {
        throw .unreadable(
          file: path,
          reason: "expected lines of at most \(Self.maximumLineBytes) bytes, found a longer one"
        )
      }
      position = end.map { $0 + 1 } ?? filled
      if end != nil { return line }
    }
  }

  private func fill() throws(TraceError) {
    let count = block.withUnsafeMutableBytes { gzread(file, $0.baseAddress, UInt32($0.count)) }
    var code = Z_OK
    let message = gzerror(file, &code)
    // That a compressed file was cut may show in the code only, beside a proper count.
    guard count >= 0, code == Z_OK || code == Z_STREAM_END else {
      guard let message, code != Z_ERRNO else {
        throw .unreadable(file: path, reason: Self.reason(errno))
      }
      // zlib puts the path in front of some messages.
      let text = String(cString: message)
      let prefix = path + ": "
      throw .unreadable(
        file: path,
        reason: text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
      )
    }
    filled = Int(count)
    position = 0
  }

  private static func reason(_ code: Int32) -> String {
    // zlib leaves 0 if it ran out of memory.
    code == 0 ? "out of memory" : String(cString: strerror(code))
  }
}
