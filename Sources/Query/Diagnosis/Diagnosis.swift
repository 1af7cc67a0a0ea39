public import Telemetry

/// The story of a run: what is wrong, cause first, what to try, and what could not be seen.
///
/// A value that follows from a ``CaseHistory`` alone: the same history gives the same story.
public struct Diagnosis: Sendable, Hashable {
  /// How the run is, in one word.
  ///
  /// The raw values go over the wire: they never change their meaning.
  public enum Verdict: UInt8, Sendable, CaseIterable {
    /// There is no report yet, so there is nothing to judge.
    case noData = 1
    /// Nothing above ``Telemetry/Severity/info`` ever fired.
    case healthy = 2
    /// Something above ``Telemetry/Severity/info`` fired, and all of it was resolved.
    case recovered = 3
    /// Something above ``Telemetry/Severity/info`` is open.
    case sick = 4
  }

  /// The run.
  public var run: RunID
  /// Where the run is in its life.
  public var status: RunStatus
  /// How the run is.
  public var verdict: Verdict
  /// The same in one sentence, with the first cause and what follows from it.
  public var summary: String
  /// The highest severity of what is open; `nil` if nothing is.
  public var openSeverity: Severity?
  /// The number of steps that the leading producer reported.
  public var stepCount: UInt64
  /// The last step; `nil` before the first report.
  public var lastStep: UInt64?
  /// How the loss went; `nil` if none was sent.
  public var loss: LossCourse?
  /// The root causes, the most important first.
  public var roots: [RootCause]
  /// What the rules could not see.
  public var blindSpots: [BlindSpot]
  /// The alerts that the story tells.
  public var alertCount: Int
  /// The alerts that it leaves out because there were too many: the latest.
  public var omittedAlertCount: Int

  /// Tells the story of a run.
  ///
  /// Takes time in the square of the number of findings, of which there are at most
  /// ``maximumFindings``.
  public init(of history: CaseHistory) {
    let alerts = history.alerts
      .filter { $0.firedStep != nil && !$0.wasRewound }
      .sorted(by: AlertGroup.precedes)
    let groups = AlertGroup.groups(
      of: alerts,
      lastStep: history.lastStep ?? 0,
      model: history.model
    )
    let told = groups.prefix(Self.maximumFindings)
    let forest = CausalForest(Array(told), history: history)
    let planner = RemedyPlanner(history)
    run = history.run
    status = history.status
    stepCount = history.stepCount
    lastStep = history.lastStep
    loss = history.loss
    roots = forest.roots.map { finding in
      let plan = planner.plan(for: finding)
      return RootCause(finding: finding, remedies: plan.remedies, cautions: plan.cautions)
    }
    blindSpots = BlindSpot.all(in: history)
    alertCount = told.reduce(0) { $0 + $1.alerts.count }
    omittedAlertCount = alerts.count - alertCount + history.omittedAlertCount
    openSeverity = alerts.filter(\.state.isOpen).map(\.severity).max()
    let worst = alerts.map(\.severity).max() ?? .info
    if history.lastStep == nil {
      verdict = .noData
    } else if let openSeverity, openSeverity > .info {
      verdict = .sick
    } else {
      verdict = worst > .info ? .recovered : .healthy
    }
    summary = ""
    summary = verdictText(ruleCount: history.rules.count)
  }

  /// The most findings that are held against each other.
  static let maximumFindings = 512
}
