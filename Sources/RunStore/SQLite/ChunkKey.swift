import Telemetry

/// Where a chunk stands in its table: by segment, then tensors before layers, then by index.
///
/// One integer key instead of a unique index beside the row: sealing appends at the table's end,
/// and a reader finds a chunk in one descent.
enum ChunkKey {
  /// The keys that one segment may use: two kinds of subject, each up to
  /// ``Telemetry/Model/maximumCount``.
  static let span = Int64(2 * Model.maximumCount)

  /// What is added to ``first(of:)`` for one tensor or layer.
  static func offset(_ subject: Metric.Subject, _ index: UInt32) -> Int64 {
    Int64(index) + (subject == .layer ? Int64(Model.maximumCount) : 0)
  }

  /// The tensor or layer that an ``offset(_:_:)`` is of.
  static func subject(at offset: Int64) -> (subject: Metric.Subject, index: UInt32) {
    let subject = offset < Model.maximumCount ? Metric.Subject.tensor : .layer
    return (subject, UInt32(truncatingIfNeeded: offset % Int64(Model.maximumCount)))
  }

  /// The first key of a segment.
  static func first(of segment: Int64) -> Int64 { segment &* span }
}
