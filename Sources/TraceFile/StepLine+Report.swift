import Telemetry

extension StepLine {
  /// The moment of step 0: a trace has no clock, so every step takes a second.
  private static let firstStep = 1_767_225_600.0

  /// The report that a training loop would have made of this step.
  ///
  /// Its sequence number is 0: who sends it knows which one is next.
  func report(_ layout: TraceLayout) throws(Mismatch) -> StepReport {
    var report = StepReport(sequence: 0, scalars: try scalars(layout))
    guard rows.count == layout.tensorCount else {
      throw Mismatch(field: "p", expected: "\(layout.tensorCount) rows", found: "\(rows.count)")
    }
    report.gradients = gradients()
    report.parameters = try parameters()
    report.histograms = try histograms()
    report.activations = try activations(layout)
    report.timeStepNorms = try timeProfile(layout)
    return report
  }

  private func scalars(_ layout: TraceLayout) throws(Mismatch) -> StepScalars {
    guard step <= Step.maximum else {
      throw Mismatch(field: "s", expected: "at most 2^63-1", found: "\(step)")
    }
    var scalars = StepScalars(
      step: step,
      wallTime: WallTime(clamping: Self.firstStep + Double(step))
    )
    // Rewards and accuracies are no losses: more of them is better.
    if let loss { scalars.losses.append(NamedLoss(name: NamedLoss.primaryName, value: loss)) }
    if let generatorLoss {
      scalars.losses.append(NamedLoss(name: "loss_g", value: generatorLoss))
    }
    if let learningRate, !learningRate.isFinite {
      throw Mismatch(field: "lr", expected: "a finite number", found: "\(learningRate)")
    }
    scalars.learningRate = learningRate
    scalars.globalNorm = globalNorm
    scalars.clipping = try clipping()
    scalars.lossScale = scale
    scalars.gradientsAreScaled = layout.gradientsAreScaled
    scalars.optimizerSkipped = skipped ?? false
    scalars.batchSize = layout.batchSize
    return scalars
  }

  private func clipping() throws(Mismatch) -> Clipping? {
    guard let clip else { return nil }
    guard clip.isFinite, clip > 0 else {
      throw Mismatch(field: "clip", expected: "a finite number above 0", found: "\(clip)")
    }
    let kind: Clipping.Kind? =
      switch clipKind ?? "norm" {
      case "norm": .globalNorm
      case "value": .value
      default: nil
      }
    guard let kind else {
      throw Mismatch(field: "clip_kind", expected: "norm or value", found: clipKind ?? "")
    }
    return Clipping(kind: kind, threshold: clip, clipped: clipped ?? false)
  }

  private func gradients() -> GradientColumns {
    let measured = measuredRows
    var columns = GradientColumns()
    columns.tensorIDs = Self.identifiers(measured.map(\.tensor), of: rows.count)
    columns.norm = measured.map { $0.row.statistic(0) }
    columns.mean = measured.map { $0.row.statistic(1) }
    columns.meanAbs = measured.map { $0.row.statistic(2) }
    columns.std = measured.map { $0.row.statistic(3) }
    columns.min = measured.map { $0.row.statistic(4) }
    columns.max = measured.map { $0.row.statistic(5) }
    columns.zeroCount = measured.map { $0.row.count(6) }
    columns.nanCount = measured.map { $0.row.count(7) }
    columns.positiveInfinityCount = measured.map { $0.row.count(8) }
    columns.negativeInfinityCount = measured.map { $0.row.count(9) }
    return columns
  }

  /// The parameters that had a gradient, and those that moved without one.
  private func parameters() throws(Mismatch) -> ParameterColumns {
    var moved: [Int: Double] = [:]
    for (key, norm) in updatesWithoutGradient ?? [:] {
      guard let tensor = Int(key), rows.indices.contains(tensor) else {
        throw Mismatch(field: "u_nograd", expected: "indices below \(rows.count)", found: key)
      }
      moved[tensor] = norm
    }
    var tensors: [Int] = []
    var columns = ParameterColumns()
    for (tensor, row) in rows.enumerated() {
      guard row != nil || moved[tensor] != nil else { continue }
      tensors.append(tensor)
      columns.norm.append(row?.statistic(10) ?? .nan)
      columns.updateNorm.append(row?.statistic(11) ?? Float(moved[tensor] ?? .nan))
    }
    columns.tensorIDs = Self.identifiers(tensors, of: rows.count)
    return columns
  }

  private func histograms() throws(Mismatch) -> ExponentialHistogramColumn? {
    var tensors: [Int] = []
    var column = ExponentialHistogramColumn()
    for (tensor, row) in measuredRows {
      guard let positive = row.positive, let negative = row.negative else { continue }
      tensors.append(tensor)
      column.append(
        ExponentialHistogram(
          zeroCount: row.count(6),
          positive: try Self.buckets(positive, field: "p[\(tensor)][12]"),
          negative: try Self.buckets(negative, field: "p[\(tensor)][13]")
        )
      )
    }
    guard !tensors.isEmpty else { return nil }
    column.tensorIDs = Self.identifiers(tensors, of: rows.count)
    return column
  }

  private func activations(_ layout: TraceLayout) throws(Mismatch) -> ActivationColumns {
    var columns = ActivationColumns()
    guard let activations else { return columns }
    guard activations.count == layout.activationLayers.count else {
      throw Mismatch(
        field: "a",
        expected: "\(layout.activationLayers.count) rows",
        found: "\(activations.count)"
      )
    }
    let called = activations.indices
      .filter { activations[$0] != nil }
      .sorted { layout.activationLayers[$0] < layout.activationLayers[$1] }
    for index in called {
      let row = activations[index] ?? []
      guard row.count == MetaLine.activationColumns.count else {
        throw Mismatch(
          field: "a[\(index)]",
          expected: "\(MetaLine.activationColumns.count) columns",
          found: "\(row.count)"
        )
      }
      columns.mean.append(Self.statistic(row[0]))
      columns.std.append(Self.statistic(row[1]))
      columns.zeroFraction.append(Self.statistic(row[2]))
      columns.saturatedFraction.append(Self.statistic(row[3]))
      columns.deadUnitFraction.append(Self.statistic(row[4]))
    }
    columns.layerIDs = Self.identifiers(
      called.map { Int(layout.activationLayers[$0]) },
      of: layout.layerCount
    )
    return columns
  }

  private func timeProfile(_ layout: TraceLayout) throws(Mismatch) -> [TimeStepNorms] {
    guard let timeStepNorms, let layer = layout.recurrentLayer else { return [] }
    let positions = timeSteps ?? timeStepNorms.indices.map(UInt32.init)
    guard positions.count == timeStepNorms.count else {
      throw Mismatch(
        field: "tp",
        expected: "\(timeStepNorms.count) time steps, one for each of tg",
        found: "\(positions.count)"
      )
    }
    guard zip(positions, positions.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw Mismatch(field: "tp", expected: "ascending time steps", found: "others")
    }
    return [
      TimeStepNorms(
        layer: layer,
        positions: positions,
        norms: timeStepNorms.map(Self.statistic)
      )
    ]
  }

  private var measuredRows: [(tensor: Int, row: Row)] {
    rows.enumerated().compactMap { tensor, row in row.map { (tensor, $0) } }
  }

  /// Nothing if the indices are all there are, which is what empty means in a report.
  private static func identifiers(_ indices: [Int], of count: Int) -> [UInt32] {
    indices.count == count ? [] : indices.map { UInt32($0) }
  }

  /// The buckets of `[e0, c0, c1, …]`, whose exponents are frexp's: a bucket begins at half of 2 to
  /// its exponent.
  private static func buckets(
    _ cells: [Int64],
    field: String
  ) throws(Mismatch) -> ExponentialHistogram.Buckets {
    guard let exponent = cells.first else { return .init() }
    // Those of a Double, subnormal ones included, and then some.
    guard (-2000...2000).contains(exponent) else {
      throw Mismatch(field: field + "[0]", expected: "an exponent of 2", found: "\(exponent)")
    }
    let counts = cells.dropFirst()
    if let wrong = counts.firstIndex(where: { $0 < 0 }) {
      throw Mismatch(
        field: field + "[\(wrong)]",
        expected: "a count from 0 on",
        found: "\(cells[wrong])"
      )
    }
    return .init(offset: Int32(exponent) - 1, counts: counts.map { UInt64($0) })
  }

  /// A statistic as a report holds it: NaN if it is not available, infinite if it is too large.
  private static func statistic(_ value: Double?) -> Float { value.map { Float($0) } ?? .nan }
}
