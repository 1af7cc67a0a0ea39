import Telemetry
import TelemetryWire
import TerminalOutput

extension Gradwatch_V1_HistogramPoint {
  /// The elements in it, modulo 2^64.
  var total: UInt64 {
    switch form {
    case .explicit(let histogram): histogram.counts.reduce(0, &+)
    default:
      exponential.zeroCount &+ exponential.positiveCounts.reduce(0, &+)
        &+ exponential.negativeCounts.reduce(0, &+)
    }
  }

  /// The elements of either sign by octave; none if the bounds are the client's choice.
  var octaves: [Int: UInt64] {
    let histogram = exponential
    return HistogramPlot.octaves(
      scale: histogram.scale,
      offset: histogram.positiveOffset,
      counts: histogram.positiveCounts
    ).merging(
      HistogramPlot.octaves(
        scale: histogram.scale,
        offset: histogram.negativeOffset,
        counts: histogram.negativeCounts
      ),
      uniquingKeysWith: &+
    )
  }

  /// The buckets by ascending value, each with its bounds; zero has the bounds 0 and 0.
  var buckets: [(lower: Double, upper: Double, count: UInt64)] {
    switch form {
    case .explicit(let histogram):
      return histogram.counts.prefix(histogram.bounds.count + 1).enumerated().map { index, count in
        (
          index == 0 ? -.infinity : histogram.bounds[index - 1],
          index == histogram.bounds.count ? .infinity : histogram.bounds[index], count
        )
      }
    default:
      let wire = exponential
      let histogram = ExponentialHistogram(scale: wire.scale)
      func bounds(_ offset: Int32, _ position: Int) -> Range<Double> {
        histogram.bounds(ofBucket: offset &+ Int32(truncatingIfNeeded: position))
      }
      let negative = wire.negativeCounts.enumerated().reversed().map { position, count in
        let magnitudes = bounds(wire.negativeOffset, position)
        return (lower: -magnitudes.upperBound, upper: -magnitudes.lowerBound, count: count)
      }
      let positive = wire.positiveCounts.enumerated().map { position, count in
        let magnitudes = bounds(wire.positiveOffset, position)
        return (lower: magnitudes.lowerBound, upper: magnitudes.upperBound, count: count)
      }
      return negative + [(0, 0, wire.zeroCount)] + positive
    }
  }
}
