public import Telemetry

/// Collects the statistics of one step into the columns of a report.
///
/// ```swift
/// var builder = StepReportBuilder(model: model, step: step, wallTime: now)
/// builder.scalars.losses = [NamedLoss(name: "loss", value: loss)]
/// for (index, gradient) in gradients.enumerated() {
///   builder.addGradient(gradient, tensor: index)
/// }
/// if let alert = answered {
///   builder.scalars.annotations.append(
///     StepAnnotation(action: "lower_rate", detail: "learning rate 0.01 -> 0.002", alert: alert)
///   )
/// }
/// run.report(builder.report())
/// ```
/// Add each tensor and each layer once at most, in any order; what is not added (a frozen tensor,
/// say) is left out of the report. Statistics are taken on every step, histograms on every
/// `histogramInterval`-th.
public struct StepReportBuilder: Sendable {
  /// Steps between two histograms, unless told otherwise.
  ///
  /// With it, statistics of 11.6 million parameters take 14 ms on nine steps and 21 ms on the
  /// tenth.
  public static let defaultHistogramInterval: UInt64 = 10

  /// What concerns the whole step: losses, rate, norms, and what was done at it.
  public var scalars: StepScalars
  /// Gradient norms through time, one entry a recurrent layer.
  public var timeStepNorms: [TimeStepNorms] = []
  /// Whether histograms are taken on this step.
  public let takesHistograms: Bool

  private let tensorCount: Int
  private let layerCount: Int
  private var gradients = GradientColumns()
  private var parameters = ParameterColumns()
  private var histograms = ExponentialHistogramColumn()
  private var activations = ActivationColumns()

  /// Begins a report.
  ///
  /// - Parameters:
  ///   - model: The model as it was registered.
  ///   - step: The number of the optimizer update, from 0.
  ///   - wallTime: When it was taken.
  ///   - histogramInterval: Take histograms on the steps that it divides; 0: on none.
  public init(
    model: Model,
    step: UInt64,
    wallTime: WallTime,
    histogramInterval: UInt64 = defaultHistogramInterval
  ) {
    scalars = StepScalars(step: step, wallTime: wallTime)
    takesHistograms = histogramInterval > 0 && step % histogramInterval == 0
    tensorCount = model.tensors.count
    layerCount = model.layers.count
    gradients.tensorIDs.reserveCapacity(tensorCount)
  }

  /// Summarizes one tensor's gradient and adds it.
  ///
  /// - Parameters:
  ///   - elements: The gradient before clipping, flattened.
  ///   - tensor: The tensor's index in the model.
  public mutating func addGradient(_ elements: UnsafeBufferPointer<Float>, tensor: Int) {
    add(GradientSummary(elements, takesHistogram: takesHistograms), tensor: tensor)
  }

  /// Summarizes one tensor's gradient and adds it.
  public mutating func addGradient(_ elements: [Float], tensor: Int) {
    elements.withUnsafeBufferPointer { addGradient($0, tensor: tensor) }
  }

  /// Adds a summary that was taken before.
  ///
  /// If one tensor has no histogram on a step that takes them, the histograms of the others are
  /// kept.
  public mutating func add(_ summary: GradientSummary, tensor: Int) {
    checkIndex(tensor, below: tensorCount, of: "tensor")
    let id = UInt32(tensor)
    gradients.tensorIDs.append(id)
    gradients.norm.append(Float(summary.norm))
    gradients.mean.append(Float(summary.mean))
    gradients.meanAbs.append(Float(summary.meanAbs))
    gradients.std.append(Float(summary.std))
    gradients.min.append(Float(summary.min))
    gradients.max.append(Float(summary.max))
    gradients.zeroCount.append(summary.zeroCount)
    gradients.nanCount.append(summary.nanCount)
    gradients.positiveInfinityCount.append(summary.positiveInfinityCount)
    gradients.negativeInfinityCount.append(summary.negativeInfinityCount)
    guard takesHistograms, let histogram = summary.histogram else { return }
    histograms.tensorIDs.append(id)
    histograms.append(histogram)
  }

  /// Adds what the step did to one parameter.
  public mutating func add(_ summary: ParameterSummary, tensor: Int) {
    checkIndex(tensor, below: tensorCount, of: "tensor")
    parameters.tensorIDs.append(UInt32(tensor))
    parameters.norm.append(Float(summary.norm))
    parameters.updateNorm.append(Float(summary.updateNorm))
  }

  /// Adds one layer's activations.
  public mutating func add(_ summary: ActivationSummary, layer: Int) {
    checkIndex(layer, below: layerCount, of: "layer")
    activations.layerIDs.append(UInt32(layer))
    activations.mean.append(Float(summary.mean))
    activations.std.append(Float(summary.std))
    activations.zeroFraction.append(Float(summary.zeroFraction))
    activations.saturatedFraction.append(Float(summary.saturatedFraction))
    activations.deadUnitFraction.append(Float(summary.deadUnitFraction))
  }

  /// Ends the report; its number is given by the run that sends it.
  public consuming func report() -> StepReport {
    var report = StepReport(sequence: 0, scalars: scalars)
    report.timeStepNorms = timeStepNorms
    gradients.tensorIDs = Self.shortened(gradients.tensorIDs, count: tensorCount)
    parameters.tensorIDs = Self.shortened(parameters.tensorIDs, count: tensorCount)
    activations.layerIDs = Self.shortened(activations.layerIDs, count: layerCount)
    report.gradients = gradients
    report.parameters = parameters
    report.activations = activations
    if !histograms.tensorIDs.isEmpty {
      histograms.tensorIDs = Self.shortened(histograms.tensorIDs, count: tensorCount)
      report.histograms = histograms
    }
    return report
  }

  private func checkIndex(_ index: Int, below count: Int, of kind: String) {
    precondition(
      (0..<count).contains(index),
      "\(kind) \(index): expected one of the \(count) of the model"
    )
  }

  /// Nothing if the identifiers are all there are, in registration order, which is what empty
  /// means.
  private static func shortened(_ ids: [UInt32], count: Int) -> [UInt32] {
    ids.count == count && ids.enumerated().allSatisfy { $0.offset == Int($0.element) } ? [] : ids
  }
}
