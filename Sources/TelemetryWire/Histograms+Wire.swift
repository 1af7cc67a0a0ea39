import SwiftProtobuf
public import Telemetry

extension ExponentialHistogramColumn {
  /// The most that a bucket's index may be away from 0 at scale 0, where Double's octaves go from -1,074
  /// to 1,023.
  static let maximumOctave = 1100

  init(wire: consuming Gradwatch_V1_ExponentialHistogramColumn) throws(TelemetryError) {
    self.init()
    guard ExponentialHistogram.scales.contains(wire.scale) else {
      throw .outOfRange(
        field: "histograms.scale",
        expected: "-10 to 20",
        found: "\(wire.scale)"
      )
    }
    let count = wire.zeroCount.count
    let lengths = [
      ("positive_offset", wire.positiveOffset.count),
      ("positive_length", wire.positiveLength.count),
      ("negative_offset", wire.negativeOffset.count),
      ("negative_length", wire.negativeLength.count),
    ]
    for (column, found) in lengths where found != count {
      throw .columnLength(column: "histograms." + column, expected: count, found: found)
    }
    // 131,072 tensors of 2^32 buckets are far below 2^63, so this sum can't overflow.
    var buckets = 0
    let limit = Int64(Self.maximumOctave) << Int64(max(wire.scale, 0))
    func check(
      _ side: @autoclosure () -> String,
      _ index: Int,
      from offset: Int32,
      _ length: UInt32
    ) throws(TelemetryError) {
      guard length == 0 || Int64(offset) >= -limit && Int64(offset) + Int64(length) <= limit else {
        throw .outOfRange(
          field: "histograms.\(side())_offset[\(index)]",
          expected: "buckets within ±\(limit)",
          found: "\(length) from \(offset)"
        )
      }
    }
    for index in 0..<count {
      let (positive, negative) = (wire.positiveLength[index], wire.negativeLength[index])
      buckets += Int(positive) + Int(negative)
      try check("positive", index, from: wire.positiveOffset[index], positive)
      try check("negative", index, from: wire.negativeOffset[index], negative)
    }
    guard buckets == wire.counts.count else {
      throw .columnLength(
        column: "histograms.counts",
        expected: buckets,
        found: wire.counts.count
      )
    }
    tensorIDs = wire.tensorIds
    scale = wire.scale
    zeroCount = wire.zeroCount
    positiveOffset = wire.positiveOffset
    positiveLength = wire.positiveLength
    negativeOffset = wire.negativeOffset
    negativeLength = wire.negativeLength
    counts = wire.counts
  }
}

extension Gradwatch_V1_ExponentialHistogramColumn {
  init(_ column: ExponentialHistogramColumn) {
    self.init()
    tensorIds = column.tensorIDs
    scale = column.scale
    zeroCount = column.zeroCount
    positiveOffset = column.positiveOffset
    positiveLength = column.positiveLength
    negativeOffset = column.negativeOffset
    negativeLength = column.negativeLength
    counts = column.counts
  }
}

extension ExplicitHistogramColumn {
  /// The most bounds of a histogram.
  static let maximumBounds = 4096

  init(wire: consuming Gradwatch_V1_ExplicitHistogramColumn) throws(TelemetryError) {
    self.init()
    guard wire.bounds.count <= Self.maximumBounds else {
      throw .outOfRange(
        field: "explicit_histograms.bounds",
        expected: "at most \(Self.maximumBounds)",
        found: "\(wire.bounds.count)"
      )
    }
    guard wire.bounds.allSatisfy(\.isFinite),
      zip(wire.bounds, wire.bounds.dropFirst()).allSatisfy({ $0 < $1 })
    else {
      throw .outOfRange(
        field: "explicit_histograms.bounds",
        expected: "finite and ascending bounds",
        found: "others"
      )
    }
    guard wire.counts.count % (wire.bounds.count + 1) == 0 else {
      throw .columnLength(
        column: "explicit_histograms.counts",
        expected: wire.counts.count / (wire.bounds.count + 1) * (wire.bounds.count + 1),
        found: wire.counts.count
      )
    }
    tensorIDs = wire.tensorIds
    bounds = wire.bounds
    counts = wire.counts
  }
}

extension Gradwatch_V1_HistogramPoint.OneOf_Form {
  /// Makes the wire form of one histogram.
  public init(_ histogram: GradientHistogram) {
    switch histogram {
    case .exponential(let histogram):
      self = .exponential(
        .with {
          $0.scale = histogram.scale
          $0.zeroCount = histogram.zeroCount
          $0.positiveOffset = histogram.positive.offset
          $0.positiveCounts = histogram.positive.counts
          $0.negativeOffset = histogram.negative.offset
          $0.negativeCounts = histogram.negative.counts
        }
      )
    case .explicit(let histogram):
      self = .explicit(.with { ($0.bounds, $0.counts) = (histogram.bounds, histogram.counts) })
    }
  }
}
