/// Why a detector can't be restored from bytes.
///
/// In every case the caller starts with a fresh detector and feeds it the reports that it still
/// has.
public enum SnapshotError: Error, Equatable, Sendable {
  /// The bytes end within a value.
  case truncated(offset: Int)
  /// The bytes do not start as a snapshot does.
  case notASnapshot
  /// The snapshot was written by another version of this format.
  case unknownVersion(expected: UInt64, found: UInt64)
  /// The snapshot was written by another set of rules.
  case otherRules
  /// The snapshot is of another run, producer or model.
  case otherModel
  /// The bytes are not those that were written.
  case checksumMismatch(expected: UInt64, found: UInt64)
  /// A value lies outside of what was ever written, or bytes follow the last value.
  case malformed(offset: Int)
}

extension SnapshotError: CustomStringConvertible {
  /// The place, the expected and the found, as one fragment.
  public var description: String {
    switch self {
    case .truncated(let offset): "detector snapshot at offset \(offset): expected more bytes"
    case .notASnapshot: "detector snapshot at offset 0: expected the mark GWDT"
    case .unknownVersion(let expected, let found):
      "detector snapshot: expected version \(expected), found \(found)"
    case .otherRules: "detector snapshot: expected this build's rules, found others"
    case .otherModel: "detector snapshot: expected this producer's model, found another"
    case .checksumMismatch(let expected, let found):
      "detector snapshot: expected checksum \(expected), found \(found)"
    case .malformed(let offset):
      "detector snapshot at offset \(offset): expected a value that a detector writes"
    }
  }
}
