/// Why stored bytes can't be read back: what was expected, and what was found.
///
/// It knows no place; who read the bytes adds it and throws
/// ``RunStoreError/damaged(place:detail:)``.
package struct CodecError: Error, Equatable {
  /// The position, the expected and the found, as one fragment.
  package let detail: String

  /// Makes an error.
  package init(_ detail: String) { self.detail = detail }

  /// Bytes end before the value that should stand there.
  static func truncated(at position: Int, expected: Int, found: Int) -> CodecError {
    CodecError("byte \(position): expected \(expected) more bytes, found \(found)")
  }

  /// What should be there is not.
  static let lost = CodecError("expected a row, found none")

  /// A value that its field can't have.
  static func unexpected(_ field: String, expected: String, found: String) -> CodecError {
    CodecError("\(field): expected \(expected), found \(found)")
  }
}
