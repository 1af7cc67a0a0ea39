/// One optimizer update: everything that was known before, during and after it.
///
/// Arrays share the trainer's storage; read them through ``NDArray/withUnsafeBufferPointer(_:)``.
/// Nothing is computed that was not needed for training: statistics are the observer's, on the
/// steps it samples.
public struct TrainingStep: Sendable {
  /// The number of the update, from 0.
  public let index: Int
  /// The pass over the data that it belongs to, from 0.
  public let epoch: Int
  /// The mean loss of the batch, before the update; NaN and infinities are data.
  public let loss: Float
  /// The factor of the update.
  public let learningRate: Double
  /// The number of samples; the last batch of an epoch may be smaller.
  public let batchSize: Int
  /// The gradients that the loss gave, before anything limits them; in the order of
  /// ``Network/parameters``.
  public let gradients: [NDArray<Float>]
  /// The parameters that the loss was computed with.
  public let parametersBefore: [NDArray<Float>]
  /// The parameters after the update; the difference is what the optimizer did.
  public let parametersAfter: [NDArray<Float>]
  /// Every layer's output after its activation, `[batch, units]`, in the order of
  /// ``Network/layers``.
  public let activations: [NDArray<Float>]

  /// Computes the L2 norm over all gradients, in one pass over them.
  ///
  /// Summed in `Double`, so that it is finite for all finite gradients; NaN if any element is, else
  /// Inf if any is infinite.
  public func globalGradientNorm() -> Double {
    var sum = 0.0
    for gradient in gradients {
      gradient.withUnsafeBufferPointer { elements in
        for element in elements { sum += Double(element) * Double(element) }
      }
    }
    return sum.squareRoot()
  }
}
