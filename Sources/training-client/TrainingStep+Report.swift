import Foundation
import GradwatchClient
import Telemetry
import TrainingEngine

extension TrainingStep {
  /// Everything that is streamed of this step.
  func report(
    model: Model,
    layers: [LayerDescription],
    histogramInterval: UInt64
  ) -> StepReport {
    var builder = StepReportBuilder(
      model: model,
      step: UInt64(index),
      wallTime: WallTime(clamping: Date().timeIntervalSince1970),
      histogramInterval: histogramInterval
    )
    builder.scalars.losses = [NamedLoss(name: NamedLoss.primaryName, value: Double(loss))]
    builder.scalars.learningRate = learningRate
    builder.scalars.globalNorm = globalGradientNorm()
    builder.scalars.batchSize = UInt64(batchSize)
    builder.scalars.phase = .main
    for (tensor, gradient) in gradients.enumerated() {
      gradient.withUnsafeBufferPointer { builder.addGradient($0, tensor: tensor) }
      let change = parametersBefore[tensor].withUnsafeBufferPointer { before in
        parametersAfter[tensor].withUnsafeBufferPointer {
          ParameterSummary(before: before, after: $0)
        }
      }
      builder.add(change, tensor: tensor)
    }
    for (layer, activation) in activations.enumerated() {
      let summary = activation.withUnsafeBufferPointer {
        ActivationSummary(
          $0,
          unitCount: activation.count / batchSize,
          shape: layers[layer].activation.shape
        )
      }
      builder.add(summary, layer: layer)
    }
    return builder.report()
  }
}
