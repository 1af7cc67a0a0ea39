import RunStore
import Telemetry

/// A report as a replay gets it: tensors and layers in the order of their index, and unnamed if the
/// columns speak of all.
func canonical(_ logged: LoggedReport, tensors: Int = 5, layers: Int = 3) -> LoggedReport {
  var logged = logged
  var report = logged.report
  // Samples that are shorter than their model speak of its first tensors.
  if report.gradients.tensorIDs.isEmpty, (1..<tensors).contains(report.gradients.norm.count) {
    report.gradients.tensorIDs = report.gradients.norm.indices.map(UInt32.init)
  }
  let gradients = order(report.gradients.tensorIDs)
  arrange(&report.gradients.norm, gradients)
  arrange(&report.gradients.mean, gradients)
  arrange(&report.gradients.meanAbs, gradients)
  arrange(&report.gradients.std, gradients)
  arrange(&report.gradients.min, gradients)
  arrange(&report.gradients.max, gradients)
  arrange(&report.gradients.zeroCount, gradients)
  arrange(&report.gradients.nanCount, gradients)
  arrange(&report.gradients.positiveInfinityCount, gradients)
  arrange(&report.gradients.negativeInfinityCount, gradients)
  arrange(&report.gradients.tensorIDs, gradients)
  var bare = report.gradients
  bare.tensorIDs = []
  if bare.isEmpty || report.gradients.tensorIDs.count == tensors { report.gradients.tensorIDs = [] }

  let parameters = order(report.parameters.tensorIDs)
  arrange(&report.parameters.norm, parameters)
  arrange(&report.parameters.updateNorm, parameters)
  arrange(&report.parameters.tensorIDs, parameters)
  let hasParameters = !report.parameters.norm.isEmpty || !report.parameters.updateNorm.isEmpty
  if !hasParameters || report.parameters.tensorIDs.count == tensors {
    report.parameters.tensorIDs = []
  }

  let activations = order(report.activations.layerIDs)
  arrange(&report.activations.mean, activations)
  arrange(&report.activations.std, activations)
  arrange(&report.activations.zeroFraction, activations)
  arrange(&report.activations.saturatedFraction, activations)
  arrange(&report.activations.deadUnitFraction, activations)
  arrange(&report.activations.layerIDs, activations)
  var plain = report.activations
  plain.layerIDs = []
  if plain == ActivationColumns() || report.activations.layerIDs.count == layers {
    report.activations.layerIDs = []
  }

  if let column = report.histograms {
    var sorted = ExponentialHistogramColumn()
    sorted.scale = column.scale
    var histograms = column.histograms
    arrange(&histograms, order(column.tensorIDs))
    for histogram in histograms { sorted.append(histogram) }
    sorted.tensorIDs = column.tensorIDs.count == tensors ? [] : column.tensorIDs.sorted()
    report.histograms = sorted
  }
  if var column = report.explicitHistograms {
    let buckets = column.bounds.count + 1
    var runs = stride(from: 0, to: column.counts.count, by: buckets).map {
      Array(column.counts[$0..<$0 + buckets])
    }
    arrange(&runs, order(column.tensorIDs))
    column.counts = runs.flatMap { $0 }
    column.tensorIDs = column.tensorIDs.count == tensors ? [] : column.tensorIDs.sorted()
    report.explicitHistograms = column
  }
  logged.report = report
  return logged
}

/// A report's bytes in the log, which tell apart every NaN and both zeros.
func bytes(of logged: LoggedReport) throws -> [UInt8] {
  var writer = ByteWriter()
  try LogRowCodec.writeBody(of: logged.report, to: &writer)
  try LogRowCodec.writeHistograms(of: logged.report, to: &writer)
  return writer.array
}

private func order(_ indices: [UInt32]) -> [Int] {
  indices.indices.sorted { indices[$0] < indices[$1] }
}

private func arrange<Value>(_ values: inout [Value], _ order: [Int]) {
  guard !order.isEmpty, !values.isEmpty else { return }
  values = order.map { values[$0] }
}
