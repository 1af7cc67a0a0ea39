import Foundation
public import GradwatchClient
public import Telemetry
public import TrainingEngine

/// Makes what a collector is sent of each step of a trainer.
///
/// ```swift
/// let reporter = try StepReporter(trainer)
/// try await withRun(transport: transport, registration: registration) { run in
///   var upcoming = trainer.next()
///   while let step = upcoming {
///     async let report = reporter.report(of: step)
///     upcoming = trainer.next()
///     run.report(await report)
///   }
/// }
/// ```
/// A report takes a step's arrays as they are, so it can be made on another thread, beside the next step. Train on the main
/// actor: a step that moves from core to core finds nothing of the one before in its cache.
public struct StepReporter: Sendable {
  /// The model to register: layers in forward order, each with its weight before its bias.
  public let model: Model

  private let layers: [LayerDescription]
  /// The parameters that training does not change; they have no gradient.
  private let frozen: Set<Int>
  private let histogramInterval: UInt64

  /// Makes the reporter of a trainer's network.
  ///
  /// - Parameters:
  ///   - trainer: The trainer, before its first step or later.
  ///   - histogramInterval: Histograms on every n-th step; 0: never.
  /// - Throws: `TelemetryError` if a collector would refuse the model, such as one with too many layers.
  public init(
    _ trainer: Trainer,
    histogramInterval: UInt64 = StepReportBuilder.defaultHistogramInterval
  ) throws(TelemetryError) {
    model = try trainer.model()
    layers = trainer.network.layers
    frozen = trainer.frozenParameters
    self.histogramInterval = histogramInterval
  }

  /// Makes the report of what one rank found at a step, taken now.
  ///
  /// - Parameters:
  ///   - step: A step of the trainer.
  ///   - rank: The index in the step's shares; 0 without data-parallel training.
  /// - Returns: The report, to be sent through the rank's own run.
  public func report(of step: TrainingStep, rank: Int = 0) -> StepReport {
    let share = step.shares[rank]
    var builder = StepReportBuilder(
      model: model,
      step: UInt64(step.index),
      wallTime: WallTime(clamping: Date().timeIntervalSince1970),
      histogramInterval: histogramInterval
    )
    builder.scalars.losses = [NamedLoss(name: NamedLoss.primaryName, value: Double(share.loss))]
    builder.scalars.learningRate = step.learningRate
    builder.scalars.batchSize = UInt64(share.sampleCount)
    builder.scalars.phase = step.phase.telemetry
    builder.scalars.clipping = step.clipping.map { applied in
      Clipping(
        kind: applied.isByValue ? .value : .globalNorm,
        threshold: applied.threshold,
        clipped: applied.didClip
      )
    }
    builder.scalars.lossScale = step.lossScale
    builder.scalars.gradientsAreScaled = step.gradientsAreScaled
    builder.scalars.optimizerSkipped = step.isSkipped
    var norm = SquaredNorm()
    for (tensor, gradient) in share.gradients.enumerated() where !frozen.contains(tensor) {
      let summary = gradient.withUnsafeBufferPointer {
        GradientSummary($0, takesHistogram: builder.takesHistograms)
      }
      norm.add(summary)
      builder.add(summary, tensor: tensor)
      let change = step.parametersBefore[tensor].withUnsafeBufferPointer { before in
        step.parametersAfter[tensor].withUnsafeBufferPointer {
          ParameterSummary(before: before, after: $0)
        }
      }
      builder.add(change, tensor: tensor)
    }
    builder.scalars.globalNorm = norm.root
    for (layer, activation) in share.activations.enumerated() {
      guard let activation, let unitCount = activation.shape.last else { continue }
      let summary = activation.withUnsafeBufferPointer {
        ActivationSummary($0, unitCount: unitCount, shape: layers[layer].activation.shape)
      }
      builder.add(summary, layer: layer)
    }
    builder.timeStepNorms = timeStepNorms(share)
    return builder.report()
  }

  /// The norms at each time step, of the first recurrent layer.
  private func timeStepNorms(_ share: TrainingStep.Share) -> [TimeStepNorms] {
    guard !share.timeStepNorms.isEmpty,
      let layer = layers.firstIndex(where: { ["RNN", "LSTM", "GRU"].contains($0.moduleType) })
    else { return [] }
    return [
      TimeStepNorms(
        layer: UInt32(layer),
        positions: share.timeStepNorms.indices.map { UInt32($0) },
        norms: share.timeStepNorms.map { Float($0) }
      )
    ]
  }
}

extension RatePhase {
  fileprivate var telemetry: TrainingPhase {
    switch self {
    case .warmUp: .warmup
    case .main: .main
    case .decay: .decay
    }
  }
}

extension Activation {
  /// What the function does at its limits.
  fileprivate var shape: ActivationSummary.Shape {
    switch self {
    case .linear, .leakyReLU, .parametricReLU, .gelu, .silu: .unbounded
    case .relu: .rectified
    case .sigmoid: .bounded(0...1)
    case .tanh: .bounded(-1...1)
    }
  }
}

/// The squared L2 norm over all tensors that train, from their summaries.
private struct SquaredNorm {
  private var sum = 0.0

  /// Adds a tensor; a summary's norm is that of its finite elements, so NaN and infinities are added apart.
  mutating func add(_ summary: GradientSummary) {
    if !summary.norm.isNaN { sum += summary.norm * summary.norm }
    if summary.positiveInfinityCount + summary.negativeInfinityCount > 0 { sum += .infinity }
    if summary.nanCount > 0 { sum = .nan }
  }

  /// NaN if any element is, else Inf if any is infinite.
  var root: Double { sum.squareRoot() }
}
