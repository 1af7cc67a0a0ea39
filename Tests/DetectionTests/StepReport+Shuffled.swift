import Telemetry

extension StepReport {
  /// The same report of all tensors and layers, named in another order in each of its columns.
  func shuffled(_ model: Model, using random: inout some RandomNumberGenerator) -> StepReport {
    var report = self
    var order = model.tensors.indices.shuffled(using: &random)
    func reorder<Value>(_ column: inout [Value]) {
      guard !column.isEmpty else { return }
      column = order.map { [column] in column[$0] }
    }
    report.gradients.tensorIDs = order.map(UInt32.init)
    for column in [
      \GradientColumns.norm, \.mean, \.meanAbs, \.std, \.min, \.max,
    ] { reorder(&report.gradients[keyPath: column]) }
    for column in [
      \GradientColumns.zeroCount, \.nanCount, \.positiveInfinityCount, \.negativeInfinityCount,
    ] { reorder(&report.gradients[keyPath: column]) }
    order.shuffle(using: &random)
    report.parameters.tensorIDs = order.map(UInt32.init)
    reorder(&report.parameters.norm)
    reorder(&report.parameters.updateNorm)
    if let column = histograms {
      order.shuffle(using: &random)
      let histograms = column.histograms
      var other = ExponentialHistogramColumn()
      other.scale = column.scale
      other.tensorIDs = order.map(UInt32.init)
      for tensor in order { other.append(histograms[tensor]) }
      report.histograms = other
    }
    order = model.layers.indices.shuffled(using: &random)
    report.activations.layerIDs = order.map(UInt32.init)
    for column in [
      \ActivationColumns.mean, \.std, \.zeroFraction, \.saturatedFraction, \.deadUnitFraction,
    ] { reorder(&report.activations[keyPath: column]) }
    return report
  }
}
