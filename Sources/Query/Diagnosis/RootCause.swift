public import Telemetry

/// A finding that nothing else explains, with what to do about it and about what follows from it.
public struct RootCause: Sendable, Hashable {
  /// The finding; its consequences are under it.
  public var finding: Finding
  /// What to try, one change at a time: the first one now, the next if it did not help.
  public var remedies: [Remedy]
  /// What not to do, though it may suggest itself, and why.
  public var cautions: [Remedy]

  /// Makes a root cause.
  public init(finding: Finding, remedies: [Remedy], cautions: [Remedy]) {
    self.finding = finding
    self.remedies = remedies
    self.cautions = cautions
  }
}
