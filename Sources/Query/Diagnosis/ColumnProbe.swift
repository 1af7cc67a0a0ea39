import RunStore
import Telemetry

/// Finds out which columns a producer ever sent, from a few of its steps.
///
/// A column is one for all tensors or layers that a report speaks of, so one of them shows it; which
/// ones a report speaks of is tried out on some that are spread over the model. Looked at are the
/// first and the last reports: a column that was sent in between only is taken for one that never was.
struct ColumnProbe {
  let run: RunID
  let producer: ProducerID
  let model: Model
  /// The producer's last step.
  let lastStep: UInt64
  let store: any RunStore

  /// Reports at each end; columns that are taken every so many steps are among them.
  private static let window = 128
  /// Tensors, or layers, that are tried.
  private static let maximumTrials = 12

  /// The columns that were sent.
  ///
  /// - Parameter body: Called with what the reports that are looked at say of their steps as a whole, in order.
  /// - Returns: The columns.
  /// - Throws: ``RunStore/RunStoreError`` if the store can't read.
  func columns(_ body: (StepScalars) -> Void) throws(RunStoreError) -> Set<ReportColumn> {
    var columns: Set<ReportColumn> = []
    let windows = try windows { scalars in
      body(scalars)
      if !scalars.losses.isEmpty { columns.insert(.losses) }
      if scalars.globalNorm != nil { columns.insert(.globalNorm) }
    }
    let tensors = Self.spread(weights)
    let layers = Self.spread(activeLayers)
    columns.formUnion(
      try sent([.gradientNorm, .gradientNaNCount], of: tensors, windows)
    )
    columns.formUnion(try sent([.parameterNorm, .updateNorm], of: tensors, windows))
    columns.formUnion(
      try sent(
        [.activationSaturatedFraction, .activationDeadUnitFraction],
        of: layers,
        windows
      )
    )
    if try hasHistograms(among: tensors) { columns.insert(.histograms) }
    return columns
  }

  /// The steps to look at: those of the first reports, and the last ones.
  ///
  /// - Parameter body: Called with what those reports say of their steps as a whole.
  /// - Returns: The ranges, in order; none if there is no report.
  /// - Throws: ``RunStore/RunStoreError`` if the store can't read.
  private func windows(
    _ body: (StepScalars) -> Void
  ) throws(RunStoreError) -> [ClosedRange<UInt64>] {
    var (count, first, next) = (0, nil as UInt64?, 0 as UInt64)
    try store.readScalars(of: run, producer: producer, steps: 0...lastStep) { scalars in
      body(scalars)
      count += 1
      first = first ?? scalars.step
      next = scalars.step + 1
      return count < Self.window
    }
    guard let first else { return [] }
    let last = max(next, lastStep < UInt64(Self.window) ? 0 : lastStep - UInt64(Self.window) + 1)
    guard last <= lastStep else { return [first...lastStep] }
    try store.readScalars(of: run, producer: producer, steps: last...lastStep) { scalars in
      body(scalars)
      return true
    }
    return [first...next - 1, last...lastStep]
  }

  /// Those of one group of columns that were sent: of the first of these tensors or layers that has
  /// any.
  private func sent(
    _ columns: [ReportColumn],
    of indices: [UInt32],
    _ windows: [ClosedRange<UInt64>]
  ) throws(RunStoreError) -> Set<ReportColumn> {
    for index in indices {
      var found: Set<ReportColumn> = []
      for column in columns {
        guard let metric = column.metric else { continue }
        if try isSent(metric, of: index, windows) { found.insert(column) }
      }
      if !found.isEmpty { return found }
    }
    return []
  }

  private func isSent(
    _ metric: Metric,
    of index: UInt32,
    _ windows: [ClosedRange<UInt64>]
  ) throws(RunStoreError) -> Bool {
    for window in windows {
      var isFound = false
      let selection = SeriesSelection(
        run: run,
        producer: producer,
        metric: metric,
        index: index,
        steps: window
      )
      try store.readSeries(selection) { slice in
        isFound = !slice.steps.isEmpty
        return !isFound
      }
      if isFound { return true }
    }
    return false
  }

  /// Histograms may be rare, but those that are missing cost nothing to look for.
  private func hasHistograms(among tensors: [UInt32]) throws(RunStoreError) -> Bool {
    for tensor in tensors {
      var isFound = false
      try store.readHistograms(
        of: run,
        producer: producer,
        tensor: tensor,
        steps: 0...Step.maximum,
        maximumSpan: Step.maximum
      ) { point in
        if case .exponential = point.histogram { isFound = true }
        return !isFound
      }
      if isFound { return true }
    }
    return false
  }

  /// The tensors that most likely have gradients, else all.
  private var weights: [UInt32] {
    let trainable = model.tensors.indices.filter { index in
      let tensor = model.tensors[index]
      return tensor.isTrainable && tensor.tiedTo == nil && tensor.role != .embedding
    }
    return (trainable.isEmpty ? Array(model.tensors.indices) : trainable).map(UInt32.init)
  }

  /// The layers that most likely have activations, else all: those that name one, and modules
  /// without tensors.
  private var activeLayers: [UInt32] {
    let owners = Set(model.tensors.map(\.layer))
    let active = model.layers.indices.filter { index in
      let activation = model.layers[index].activation
      return !owners.contains(UInt32(index)) || (!activation.isEmpty && activation != "none")
    }
    return (active.isEmpty ? Array(model.layers.indices) : active).map(UInt32.init)
  }

  /// Some of the indices, the first, the last, and those evenly between them.
  private static func spread(_ indices: [UInt32]) -> [UInt32] {
    guard indices.count > maximumTrials else { return indices }
    return (0..<maximumTrials).map { indices[$0 * (indices.count - 1) / (maximumTrials - 1)] }
  }
}
