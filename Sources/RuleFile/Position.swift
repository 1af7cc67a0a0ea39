import Yams

/// A place in a file, both numbers from 1.
struct Position {
  var line: Int
  var column: Int

  /// The first character.
  static let start = Position(line: 1, column: 1)

  init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// The place of a node that was read.
  init(_ mark: Mark?) {
    self.init(line: mark?.line ?? 1, column: mark?.column ?? 1)
  }

  /// The place of a byte of UTF-8.
  init(ofByte offset: Int, in text: String) {
    let before = text.utf8.prefix(offset)
    line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let newline = before.lastIndex(of: UInt8(ascii: "\n"))
    let start = newline.map { before.index(after: $0) } ?? text.startIndex
    column = text.unicodeScalars[start..<before.endIndex].count + 1
  }
}
