public import Telemetry

/// Everything that a ``Diagnosis`` is made from.
public struct CaseHistory: Sendable {
  /// The run.
  public var run: RunID
  /// Where it is in its life.
  public var status: RunStatus
  /// Its hyper-parameters by name, as text.
  public var hyperparameters: [String: String] = [:]
  /// Its layers and tensors.
  public var model: Model
  /// Its producers.
  public var producers: [Producer] = []
  /// The identifiers of the rules that watched it.
  public var rules: [RuleID] = []
  /// Its alerts in any state, those of all producers.
  public var alerts: [Alert] = []
  /// The number of alerts that are left out of ``alerts``.
  public var omittedAlertCount = 0
  /// What each producer that reported at all sent at least once.
  public var columns: [ProducerID: Set<ReportColumn>] = [:]
  /// The number of steps that the leading producer reported.
  public var stepCount: UInt64 = 0
  /// The last step of all producers; `nil` before the first report.
  public var lastStep: UInt64?
  /// How the leading producer's loss went: of the one called `loss`, else of the one that was sent first; `nil` if none was sent.
  public var loss: LossCourse?
  /// The leading producer's last learning rate; `nil` if none was sent.
  public var learningRate: Double?
  /// The leading producer's batch size, the last one that its first and its last reports name; `nil` if they name none.
  public var batchSize: UInt64?

  /// Makes the history of a run that has not reported.
  public init(run: RunID, status: RunStatus, model: Model) {
    self.run = run
    self.status = status
    self.model = model
  }
}
