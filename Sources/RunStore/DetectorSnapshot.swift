/// A detector's state, and the last report that it has seen.
public struct DetectorSnapshot: Sendable, Equatable {
  /// The sequence number of the last report in it.
  public var sequence: UInt64
  /// The state, as the detector wrote it.
  public var state: [UInt8]

  /// Makes a snapshot.
  public init(sequence: UInt64, state: [UInt8]) {
    self.sequence = sequence
    self.state = state
  }
}
