import Foundation
import TerminalOutput

/// Standard error: one line a message.
enum Diagnostics {
  /// Writes a message, with the program's name in front; control characters are escaped.
  static func write(_ message: String) {
    let line = "collector-cli: \(message.escapingControls)\n"
    // If nobody reads it, there is nobody to tell.
    try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
  }
}

/// Standard output.
enum StandardOutput {
  /// Writes a text, all of it.
  ///
  /// - Throws: ``BrokenPipe`` if nobody reads any more; ``CommandFailure`` if it can't be written.
  static func write(_ text: String) throws {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Foundation.write(1, $0.baseAddress, $0.count) }
      if count >= 0 {
        bytes = bytes.dropFirst(count)
      } else if errno == EPIPE {
        throw BrokenPipe()
      } else if errno != EINTR {
        throw CommandFailure(
          .internalError,
          "standard output: \(String(cString: strerror(errno)).lowercased())"
        )
      }
    }
  }
}
