import Telemetry

/// When the last reports came, a few of them, so that a finding of many reports can say when it began.
struct RecentMoments: Sendable {
  /// Every eighth report, oldest first.
  private var moments: [Moment] = []
  /// Reports so far.
  private var count: UInt64 = 0

  private static let spacing: UInt64 = 8
  /// 256 reports, the longest that a rule looks back.
  private static let capacity = 33

  /// Takes the next report.
  mutating func append(_ moment: Moment) {
    if count % Self.spacing == 0 {
      if moments.count >= Self.capacity { moments.removeFirst() }
      moments.append(moment)
    }
    count &+= 1
  }

  /// The first of the last `reports` that is known; `nil` if they are too few, or too long ago.
  func first(ofLast reports: UInt64) -> Moment? {
    guard count > 0 else { return nil }
    let index = count - min(count, reports)
    let (next, last) = ((index + Self.spacing - 1) / Self.spacing, (count - 1) / Self.spacing)
    guard next <= last, last - next < UInt64(moments.count) else { return nil }
    return moments[moments.count - 1 - Int(last - next)]
  }

  /// Visits the moments.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    let none = Moment(step: 0, time: WallTime(clamping: 0))
    try coder.code(&moments, maximum: Self.capacity, placeholder: none) {
      (coder, moment) throws(SnapshotError) in
      try coder.code(&moment.step)
      try coder.code(&moment.time)
    }
    try coder.code(&count)
  }
}
