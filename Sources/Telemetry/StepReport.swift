/// Everything that one producer says of one step, column by column.
///
/// A report as a value: what came from the wire, before ingest has held it against the model.
public struct StepReport: Hashable, Sendable {
  /// The report's number among its producer's, from 1, without gaps.
  public var sequence: UInt64
  /// What concerns the whole step.
  public var scalars: StepScalars
  /// The gradients, before clipping.
  public var gradients = GradientColumns()
  /// The parameters and their updates.
  public var parameters = ParameterColumns()
  /// The gradient histograms in exponential form; `nil` if none was taken on this step.
  public var histograms: ExponentialHistogramColumn?
  /// The gradient histograms with bounds of the client's choice; `nil` if none was taken.
  public var explicitHistograms: ExplicitHistogramColumn?
  /// The activations.
  public var activations = ActivationColumns()
  /// Gradient norms through time, one entry a recurrent layer.
  public var timeStepNorms: [TimeStepNorms] = []

  /// Makes a report that holds scalars only.
  public init(sequence: UInt64, scalars: StepScalars) {
    self.sequence = sequence
    self.scalars = scalars
  }

  /// The step.
  public var step: UInt64 { scalars.step }
}
