/// What a report says of its step as a whole.
///
/// Losses, norms and the loss scale are data: NaN and infinities are kept bit for bit. `nil` always
/// means that the client did not measure it.
public struct StepScalars: Hashable, Sendable {
  /// The step.
  public var step: UInt64
  /// When the client took it.
  public var wallTime: WallTime
  /// Losses by name; the one that is minimized is called `loss`.
  public var losses: [NamedLoss] = []
  /// The learning rate of the first parameter group; finite.
  public var learningRate: Double?
  /// The L2 norm over all gradients, before clipping.
  public var globalNorm: Double?
  /// How gradients were clipped; `nil` if this run does not clip.
  public var clipping: Clipping?
  /// The loss scale of mixed-precision training.
  public var lossScale: Double?
  /// Whether the gradients in this report are still multiplied by ``lossScale``.
  public var gradientsAreScaled = false
  /// Whether the optimizer skipped this step (a loss scaler found an overflow).
  public var optimizerSkipped = false
  /// Samples in this step, over all accumulated micro-batches of this producer.
  public var batchSize: UInt64?
  /// The part of the schedule that this step is in.
  public var phase = TrainingPhase.unspecified
  /// Steps that the client dropped since its last report, because its buffer was full.
  public var droppedSteps: UInt64 = 0
  /// What was done at this step; at most ``StepAnnotation/maximumCount``.
  public var annotations: [StepAnnotation] = []

  /// Makes the scalars of a step of which only number and time are known.
  public init(step: UInt64, wallTime: WallTime) {
    self.step = step
    self.wallTime = wallTime
  }

  /// The loss that is minimized: the one called `loss`, else the first; `nil` if there is none.
  public var primaryLoss: Double? {
    (losses.first { $0.name == NamedLoss.primaryName } ?? losses.first)?.value
  }
}
