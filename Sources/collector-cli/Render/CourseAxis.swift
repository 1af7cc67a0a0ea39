import TelemetryWire

/// An axis of steps that several series share, in equal parts, for sparklines below one another.
struct CourseAxis: Sendable {
  /// The number of parts.
  let parts: Int
  private let first: UInt64
  private let width: UInt64

  /// Fits an axis to series.
  ///
  /// - Parameters:
  ///   - series: The series.
  ///   - parts: The most parts; there are fewer if no series has as many points.
  init(_ series: [Gradwatch_V1_SeriesColumns], parts: Int) {
    let wanted = max(1, min(parts, series.map(\.pointCount).max() ?? 0))
    first = series.compactMap(\.steps.first).min() ?? 0
    let last = max(first, series.compactMap(\.steps.last).max() ?? 0)
    // The number of steps may be 2^64, which has no UInt64; half of it has.
    width = (last - first) / UInt64(max(wanted, 2)) + 1
    self.parts = Int((last - first) / width) + 1
  }

  /// A value a part: the largest magnitude in it, NaN if any was not finite, `nil` if there was
  /// none.
  func course(of points: Gradwatch_V1_SeriesColumns) -> [Double?] {
    var course: [Double?] = Array(repeating: nil, count: parts)
    for (index, peak) in points.peaks.enumerated() where points.steps[index] >= first {
      let part = Int(min((points.steps[index] - first) / width, UInt64(parts - 1)))
      guard let known = course[part] else {
        course[part] = peak
        continue
      }
      if known.isFinite, !peak.isFinite || abs(peak) > abs(known) { course[part] = peak }
    }
    return course
  }
}
