import Telemetry
import TelemetryWire

/// Losses and global norms of reports, to be held against those that a collector has.
struct ReportedNumbers {
  private struct Key: Hashable {
    let metric: Gradwatch_V1_StepMetric
    /// The loss's name; empty for what has none.
    let name: String
    let step: UInt64
  }

  /// Several of a key if a run went back and took a step again.
  private var values: [Key: [Double]] = [:]

  /// The first of the steps; `nil` if no report says anything.
  private(set) var firstStep: UInt64?

  /// Adds what a report says.
  mutating func add(_ report: StepReport) {
    for loss in report.scalars.losses { add(loss.value, .loss, name: loss.name, report.step) }
    if let norm = report.scalars.globalNorm { add(norm, .globalNorm, name: "", report.step) }
  }

  private mutating func add(
    _ value: Double,
    _ metric: Gradwatch_V1_StepMetric,
    name: String,
    _ step: UInt64
  ) {
    values[Key(metric: metric, name: name, step: step), default: []].append(value)
    firstStep = min(firstStep ?? step, step)
  }

  /// Compares a collector's series with what was added of its steps.
  ///
  /// - Returns: In how many steps both have a value.
  /// - Throws: The first difference.
  func compare(
    _ metric: Gradwatch_V1_StepMetric,
    _ series: Gradwatch_V1_GetLossTimelineResponse
  ) throws(NumberDifference) -> Int {
    let name = metric == .loss ? series.name : ""
    let points = series.points
    // Where steps were rolled up, a value is of the last one of its range.
    let steps = points.lastSteps.isEmpty ? points.steps : points.lastSteps
    var count = 0
    for (step, theirs) in zip(steps, points.last) {
      guard let ours = values[Key(metric: metric, name: name, step: step)] else { continue }
      guard ours.contains(where: { $0 == theirs || $0.isNaN && theirs.isNaN }) else {
        throw NumberDifference(
          step: step,
          name: metric == .loss ? name : "global norm",
          expected: theirs,
          found: ours[0]
        )
      }
      count += 1
    }
    return count
  }
}
