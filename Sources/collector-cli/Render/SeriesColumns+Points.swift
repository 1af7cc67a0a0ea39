import TelemetryWire
import TerminalOutput

extension Gradwatch_V1_SeriesColumns {
  /// Whether a point is one measurement.
  var isFullResolution: Bool { lastSteps.isEmpty }

  /// The number of points that all columns have; less than `steps` only if a collector is at fault.
  var pointCount: Int {
    let counts = [steps.count, last.count]
    guard !isFullResolution else { return counts.min() ?? 0 }
    return
      (counts + [
        lastSteps.count, min.count, max.count, mean.count, count.count, nonFiniteCount.count,
      ]).min() ?? 0
  }

  /// The points to draw.
  var plotPoints: [LinePlot.Point] {
    (0..<pointCount).map { index in
      guard !isFullResolution else {
        return LinePlot.Point(step: steps[index], value: last[index])
      }
      return LinePlot.Point(
        steps: steps[index]...Swift.max(steps[index], lastSteps[index]),
        value: mean[index],
        low: min[index],
        high: max[index],
        nonFiniteCount: nonFiniteCount[index]
      )
    }
  }

  /// A value a point for a sparkline: the largest, so that a spike shows; NaN if any was not
  /// finite.
  var peaks: [Double] {
    (0..<pointCount).map { index in
      if isFullResolution { return last[index] }
      return nonFiniteCount[index] > 0 ? .nan : max[index]
    }
  }

  /// The fields of one point, in the order of ``columns(isFullResolution:)``.
  func fields(_ index: Int) -> [DelimitedText.Field] {
    guard !isFullResolution else { return [.integer(steps[index]), .real(last[index])] }
    return [
      .integer(steps[index]), .real(last[index]), .integer(lastSteps[index]), .real(min[index]),
      .real(max[index]), .real(mean[index]), .integer(count[index]),
      .integer(nonFiniteCount[index]),
    ]
  }

  /// The names of a point's fields.
  static func columns(isFullResolution: Bool) -> [String] {
    ["step", "last"]
      + (isFullResolution ? [] : ["last_step", "min", "max", "mean", "count", "non_finite_count"])
  }
}
