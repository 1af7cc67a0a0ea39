/// Where a spool can't be read on, and why.
public struct SpoolDamage: Hashable, Sendable {
  /// Whether the file ends within a record, as it does when its process dies or is still at work; else what is there
  /// is not what was written, or should not have been.
  public var isCutOff: Bool
  /// Where the record begins, in bytes from the file's start.
  public var offset: UInt64
  /// What of it is wrong, the expected and the found, as one fragment.
  public var problem: String

  /// Makes a damage.
  public init(isCutOff: Bool, offset: UInt64, problem: String) {
    self.isCutOff = isCutOff
    self.offset = offset
    self.problem = problem
  }
}

extension SpoolDamage: CustomStringConvertible {
  /// The place, the expected and the found, as one fragment.
  public var description: String { "byte \(offset): \(problem)" }
}
