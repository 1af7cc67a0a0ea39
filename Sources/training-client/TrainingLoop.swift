import GradwatchClient
import Telemetry
import TrainingEngine

/// The steps of a trainer, which acts before each of them on what the collector says of those before.
struct TrainingLoop {
  private var trainer: Trainer
  private let stepCount: Int
  private let reaction: Reaction
  /// The worst severity of the alerts that were acted on.
  private var heard: [AlertID: Severity] = [:]
  private var stepsDone = 0

  init(_ trainer: Trainer, stepCount: Int, reaction: Reaction) {
    self.trainer = trainer
    self.stepCount = stepCount
    self.reaction = reaction
  }

  /// Trains the next step, or returns `nil` because the training is over.
  ///
  /// - Parameter run: Whose alerts it acts on, once the collector has judged all that was reported.
  /// - Returns: The step, and what was done before it.
  mutating func next(hearing run: LiveRun?) async -> (TrainingStep, StepAnnotation?)? {
    guard stepsDone < stepCount else { return nil }
    if reaction != .none { await run?.settle() }
    let annotation = reaction.act(on: run?.openAlerts ?? [], heard: &heard, trainer: &trainer)
    stepsDone += 1
    return trainer.next().map { ($0, annotation) }
  }
}
