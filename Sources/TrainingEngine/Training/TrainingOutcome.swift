/// How a run ended.
public struct TrainingOutcome: Hashable, Sendable {
  /// Why a run ended.
  public enum Reason: Hashable, Sendable {
    /// All epochs were trained.
    case completed
    /// The loss was not finite, and the further steps that a trainer allows were done.
    case nonFiniteLoss
    /// An observer asked for it.
    case stoppedByObserver
  }

  /// Why it ended.
  public let reason: Reason
  /// The number of updates done.
  public let stepCount: Int
  /// The loss of the last step's batch; `nil` if there was no step.
  public let lastLoss: Float?
  /// The first step whose loss was NaN or infinite; `nil` if there was none.
  public let firstNonFiniteStep: Int?
}
