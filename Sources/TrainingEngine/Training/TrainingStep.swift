/// One optimizer update: everything that was known before, during and after it.
///
/// Arrays share the trainer's storage; read them through ``NDArray/withUnsafeBufferPointer(_:)``.
/// Nothing is computed that was not needed for training: statistics are the observer's, on the
/// steps it samples.
public struct TrainingStep: Sendable {
  /// What one rank of data-parallel training found in its part of the batch.
  public struct Share: Sendable {
    /// The mean loss of the part, before the update; NaN and infinities are data.
    public let loss: Float
    /// The gradients that this loss gave, before anything limits them, as ``Network/parameters``.
    ///
    /// Still multiplied by ``TrainingStep/lossScale`` if ``TrainingStep/gradientsAreScaled``.
    public let gradients: [NDArray<Float>]
    /// Every layer's output after its activation, as ``Network/layers``.
    ///
    /// `[batch, ..., units]`; `nil` of layers that only rescale or shift. With accumulation, of the
    /// last micro-batch.
    public let activations: [NDArray<Float>?]
    /// The norms of the loss's gradient by the recurrent state, in the order of time; empty without a recurrent layer.
    public let timeStepNorms: [Double]
    /// The number of samples.
    public let sampleCount: Int

    /// Computes the L2 norm over all gradients, in one pass over them.
    ///
    /// Summed in `Double`, so that it is finite for all finite gradients; NaN if any element is, else
    /// Inf if any is infinite.
    public func globalGradientNorm() -> Double { gradients.globalNorm }
  }

  /// The number of the update, from 0.
  public let index: Int
  /// The pass over the data that it belongs to, from 0.
  public let epoch: Int
  /// The mean loss of the batch, before the update; NaN and infinities are data.
  public let loss: Float
  /// The factor of the update.
  public let learningRate: Double
  /// The part of the rate's schedule.
  public let phase: RatePhase
  /// The number of samples; the last batch of an epoch may be smaller.
  public let batchSize: Int
  /// What each rank found; one without data-parallel training.
  public let shares: [Share]
  /// How the mean of the ranks' gradients was limited; `nil` if the run does not clip.
  public let clipping: AppliedClipping?
  /// What the loss was multiplied by; `nil` without loss scaling.
  public let lossScale: Double?
  /// Whether the gradients in ``shares`` are still multiplied by ``lossScale``.
  public let gradientsAreScaled: Bool
  /// Whether there was no update, because scaled gradients overflowed.
  public let isSkipped: Bool
  /// The parameters that the loss was computed with.
  public let parametersBefore: [NDArray<Float>]
  /// The parameters after the update; the difference is what the optimizer did.
  public let parametersAfter: [NDArray<Float>]
}

extension [NDArray<Float>] {
  /// The L2 norm over all elements of all arrays, summed in `Double`.
  package var globalNorm: Double {
    var sum = 0.0
    for array in self {
      array.withUnsafeBufferPointer { elements in
        for element in elements { sum += Double(element) * Double(element) }
      }
    }
    return sum.squareRoot()
  }
}
