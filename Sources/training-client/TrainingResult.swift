import Telemetry
import TerminalOutput
import TrainingEngine

/// What one training came to.
struct TrainingResult: Sendable {
  let experiment: Experiment
  let run: RunID
  var stepCount = 0
  var firstLoss = Double.nan
  var lastLoss = Double.nan
  var firstNonFiniteStep: Int?
  /// Whether the loop ended itself because of an alert.
  var isStopped = false
  /// The L2 norms of the weights' gradients, in forward order, at the first step and at the last.
  var firstNorms: [Double] = []
  var lastNorms: [Double] = []
  var alertCounts = "not streamed"
  var isStreamed = false
  /// Why not all of it reached the collector; `nil` if it did.
  var failure: CommandFailure?

  init(experiment: Experiment, run: RunID) {
    self.experiment = experiment
    self.run = run
  }

  /// How the run ended, for the collector.
  var status: RunStatus {
    isStopped ? .aborted : firstNonFiniteStep == nil ? .finished : .failed
  }

  /// Why, for people; empty if there is nothing to say.
  var reason: String {
    if isStopped { return "stopped on an alert at step \(stepCount - 1)" }
    return firstNonFiniteStep.map { "the loss was not finite at step \($0)" } ?? ""
  }

  /// The last line of a run, for people.
  var summary: String {
    var loss = "loss \(NumberText.short(lastLoss))"
    if let step = firstNonFiniteStep { loss += " (not finite since step \(step))" }
    let query = isStreamed ? " · collector-cli diagnose \(run)" : ""
    return "\(run): \(stepCount) steps, \(loss), \(alertCounts)\(query)\n"
  }

  /// The same for programs, on one line; numbers that are not finite are strings.
  var json: String {
    JSONText.object([
      "run_id": JSONText.string(run.rawValue),
      "experiment": JSONText.string(experiment.name),
      "steps": "\(stepCount)",
      "first_loss": JSONText.number(firstLoss),
      "last_loss": JSONText.number(lastLoss),
      "first_non_finite_step": firstNonFiniteStep.map { "\($0)" } ?? "null",
      "stopped": "\(isStopped)",
      "first_norms": JSONText.array(firstNorms.map(JSONText.number)),
      "last_norms": JSONText.array(lastNorms.map(JSONText.number)),
    ])
  }

  /// Adds a step; `roles` are those of the gradients.
  mutating func add(_ step: TrainingStep, roles: [ParameterRole]) {
    if stepCount == 0 {
      firstLoss = Double(step.loss)
      firstNorms = step.weightNorms(roles: roles)
    }
    stepCount += 1
    lastLoss = Double(step.loss)
    if !step.loss.isFinite, firstNonFiniteStep == nil { firstNonFiniteStep = step.index }
  }
}

extension TrainingStep {
  /// The L2 norms of the gradients of weights, in `Double`.
  func weightNorms(roles: [ParameterRole]) -> [Double] {
    zip(shares[0].gradients, roles)
      .filter { $0.1 == .weight || $0.1 == .recurrent }
      .map { [$0.0].globalNorm }
  }
}
