import Telemetry

/// Holds reports against the model that their run registered.
struct ReportValidator: Sendable {
  private let model: Model

  init(model: Model) { self.model = model }

  /// Checks that every column fits the model.
  ///
  /// - Throws: ``TelemetryError`` naming the column, the expected and the found.
  func check(_ report: StepReport) throws(TelemetryError) {
    try check(report.gradients)
    try check(report.parameters)
    try check(report.activations)
    if let column = report.histograms { try check(column, beside: report.gradients) }
    if let column = report.explicitHistograms { try check(column, beside: report.gradients) }
    _ = try subjects(
      report.timeStepNorms.map(\.layer),
      of: model.layers.count,
      column: "time_step_norms.layer_id"
    )
  }

  private func check(_ columns: GradientColumns) throws(TelemetryError) {
    let count = try subjects(
      columns.tensorIDs,
      of: model.tensors.count,
      column: "gradients.tensor_ids"
    )
    try checkLength("gradients.norm", columns.norm.count, count)
    try checkLength("gradients.mean", columns.mean.count, count)
    try checkLength("gradients.mean_abs", columns.meanAbs.count, count)
    try checkLength("gradients.std", columns.std.count, count)
    try checkLength("gradients.min", columns.min.count, count)
    try checkLength("gradients.max", columns.max.count, count)
    try checkLength("gradients.zero_count", columns.zeroCount.count, count)
    try checkLength("gradients.nan_count", columns.nanCount.count, count)
    try checkLength(
      "gradients.positive_infinity_count",
      columns.positiveInfinityCount.count,
      count
    )
    try checkLength(
      "gradients.negative_infinity_count",
      columns.negativeInfinityCount.count,
      count
    )
  }

  private func check(_ columns: ParameterColumns) throws(TelemetryError) {
    let count = try subjects(
      columns.tensorIDs,
      of: model.tensors.count,
      column: "parameters.tensor_ids"
    )
    try checkLength("parameters.norm", columns.norm.count, count)
    try checkLength("parameters.update_norm", columns.updateNorm.count, count)
  }

  private func check(_ columns: ActivationColumns) throws(TelemetryError) {
    let count = try subjects(
      columns.layerIDs,
      of: model.layers.count,
      column: "activations.layer_ids"
    )
    try checkLength("activations.mean", columns.mean.count, count)
    try checkLength("activations.std", columns.std.count, count)
    try checkLength("activations.zero_fraction", columns.zeroFraction.count, count)
    try checkLength("activations.saturated_fraction", columns.saturatedFraction.count, count)
    try checkLength("activations.dead_unit_fraction", columns.deadUnitFraction.count, count)
  }

  private func check(
    _ column: ExponentialHistogramColumn,
    beside gradients: GradientColumns
  ) throws(TelemetryError) {
    let count = try subjects(
      column.tensorIDs,
      of: model.tensors.count,
      column: "histograms.tensor_ids"
    )
    guard column.zeroCount.count == count else {
      throw .columnLength(
        column: "histograms.zero_count",
        expected: count,
        found: column.zeroCount.count
      )
    }
    var nonFinite = NonFiniteCounts(gradients)
    var start = 0
    for index in 0..<count {
      let end = start + Int(column.positiveLength[index]) + Int(column.negativeLength[index])
      let tensor = column.tensorIDs.isEmpty ? index : Int(column.tensorIDs[index])
      try checkTotal(
        of: tensor,
        counts: column.counts[start..<end],
        plus: column.zeroCount[index],
        nonFinite: nonFinite.of(tensor)
      )
      start = end
    }
  }

  private func check(
    _ column: ExplicitHistogramColumn,
    beside gradients: GradientColumns
  ) throws(TelemetryError) {
    let count = try subjects(
      column.tensorIDs,
      of: model.tensors.count,
      column: "explicit_histograms.tensor_ids"
    )
    let width = column.bounds.count + 1
    guard column.counts.count == count * width else {
      throw .columnLength(
        column: "explicit_histograms.counts",
        expected: count * width,
        found: column.counts.count
      )
    }
    var nonFinite = NonFiniteCounts(gradients)
    for index in 0..<count {
      let tensor = column.tensorIDs.isEmpty ? index : Int(column.tensorIDs[index])
      try checkTotal(
        of: tensor,
        counts: column.counts[index * width..<(index + 1) * width],
        plus: 0,
        nonFinite: nonFinite.of(tensor)
      )
    }
  }

  /// Checks that a histogram's counts and the non-finite ones add up to the tensor's elements.
  private func checkTotal(
    of tensor: Int,
    counts: ArraySlice<UInt64>,
    plus zeroCount: UInt64,
    nonFinite: UInt64
  ) throws(TelemetryError) {
    let sum = Self.total(of: counts, plus: zeroCount, nonFinite)
    let expected = model.tensors[tensor].elementCount
    guard sum == expected else {
      throw .histogramTotal(
        tensor: model.tensors[tensor].name,
        expected: expected,
        found: sum ?? .max
      )
    }
  }

  /// The sum of some counts; `nil` if it is not below 2^64.
  private static func total(
    of counts: ArraySlice<UInt64>,
    plus zeroCount: UInt64,
    _ nonFinite: UInt64
  ) -> UInt64? {
    // Halves that are added apart can't overflow, and need no branch a count; there are fewer than 2^32 counts in a message.
    var (low, high): (UInt64, UInt64) = (0, 0)
    counts.withUnsafeBufferPointer { counts in
      for count in counts {
        low &+= count & 0xffff_ffff
        high &+= count &>> 32
      }
    }
    for count in [zeroCount, nonFinite] {
      low &+= count & 0xffff_ffff
      high &+= count &>> 32
    }
    high &+= low &>> 32
    return high &>> 32 == 0 ? high &<< 32 | low & 0xffff_ffff : nil
  }

  /// The number of values that a group's columns must have.
  private func subjects(
    _ ids: [UInt32],
    of count: Int,
    column: String
  ) throws(TelemetryError) -> Int {
    guard !ids.isEmpty else { return count }
    guard ids.count <= count else {
      throw .columnLength(column: column, expected: count, found: ids.count)
    }
    // Ids that ascend, as almost all clients send them, can't repeat; only others need a set.
    var ascends = true
    var previous: UInt32?
    for id in ids {
      guard Int(id) < count else {
        throw .unknownIndex(column: column, index: Int(id), count: count)
      }
      if let previous, id <= previous { ascends = false }
      previous = id
    }
    guard ascends || Set(ids).count == ids.count else {
      throw .outOfRange(field: column, expected: "each id once", found: "a repeated one")
    }
    return ids.count
  }

  private func checkLength(
    _ column: StaticString,
    _ found: Int,
    _ expected: Int
  ) throws(TelemetryError) {
    guard found == expected || found == 0 else {
      throw .columnLength(column: "\(column)", expected: expected, found: found)
    }
  }
}

/// The number of a tensor's NaN and infinite elements, as its gradient columns say.
private struct NonFiniteCounts {
  private let columns: GradientColumns
  private lazy var rows: [UInt32: Int] = Dictionary(
    zip(columns.tensorIDs, columns.tensorIDs.indices),
    uniquingKeysWith: { first, _ in first }
  )
  private let isMeasured: Bool

  init(_ columns: GradientColumns) {
    self.columns = columns
    isMeasured =
      !(columns.nanCount.isEmpty && columns.positiveInfinityCount.isEmpty
      && columns.negativeInfinityCount.isEmpty)
  }

  /// The sum, capped at `UInt64.max`; 0 if it was not measured.
  mutating func of(_ tensor: Int) -> UInt64 {
    guard isMeasured else { return 0 }
    guard let row = columns.tensorIDs.isEmpty ? tensor : rows[UInt32(tensor)] else { return 0 }
    return Self.sum(
      Self.sum(Self.value(row, columns.nanCount), Self.value(row, columns.positiveInfinityCount)),
      Self.value(row, columns.negativeInfinityCount)
    )
  }

  private static func value(_ row: Int, _ column: [UInt64]) -> UInt64 {
    column.isEmpty ? 0 : column[row]
  }

  private static func sum(_ lhs: UInt64, _ rhs: UInt64) -> UInt64 {
    let (sum, overflow) = lhs.addingReportingOverflow(rhs)
    return overflow ? .max : sum
  }
}
