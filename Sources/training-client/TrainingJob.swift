import GradwatchClient
import Telemetry
import TerminalOutput
import TrainingEngine

/// One experiment, trained once.
struct TrainingJob: Sendable {
  let experiment: Experiment
  let run: RunID
  let project: String
  let maximumSteps: Int
  let histogramInterval: UInt64

  /// How a training ended.
  private struct Ending: Sendable {
    var stepCount = 0
    var lastLoss = Double.nan
    var firstNonFiniteStep: Int?

    var status: RunStatus { firstNonFiniteStep == nil ? .finished : .failed }

    var reason: String {
      firstNonFiniteStep.map { "the loss was not finite at step \($0)" } ?? ""
    }
  }

  /// Trains, streams every step, and tells alerts as they arrive.
  ///
  /// - Throws: ``CommandFailure`` if the run could not be delivered, or was interrupted.
  func stream(
    to address: CollectorAddress,
    isRequired: Bool,
    console: Console,
    interruption: Interruption
  ) async throws {
    let model = try experiment.model()
    let registration = try RunRegistration(
      run: run,
      project: project,
      name: experiment.title,
      tags: [experiment.identifier, experiment.name],
      hyperparameters: experiment.hyperparameters,
      framework: "gradwatch TrainingEngine",
      producer: Producer(id: ProducerID("rank-0"), rank: 0, worldSize: 1),
      model: model
    )
    var options = RunOptions()
    options.requiresCollector = isRequired
    let log = AlertLog(console: console)
    console.show("run \(run), project \(project), to \(address)")
    let outcome: RunOutcome<Ending>
    do {
      outcome = try await withRun(
        transport: try address.makeTransport(),
        registration: registration,
        options: options
      ) { live in
        async let alerts: Void = log.follow(live.alerts)
        let ending = try await train(
          console,
          interruption,
          dropped: { live.status.dropped }
        ) { step, layers in
          live.report(
            step.report(model: model, layers: layers, histogramInterval: histogramInterval)
          )
        }
        await live.finish(as: ending.status, reason: ending.reason)
        await alerts
        return ending
      }
    } catch let error as ClientError {
      throw CommandFailure(.unreachable, "\(address): \(error)", whenRefused: error)
    } catch is CancellationError {
      console.clear()
      throw CommandFailure(.interrupted, "run \(run): interrupted, ended as aborted")
    }
    console.clear()
    // Of a run that nobody received there is nothing to tell or to ask.
    let isKnown = outcome.delivery.delivered > 0
    console.write(
      summary(
        of: outcome.value,
        alerts: isKnown ? log.counts : "not streamed",
        query: isKnown ? " · collector-cli query run \(run)" : ""
      ),
      isResult: true
    )
    try check(outcome.delivery, address)
  }

  /// Trains without a collector.
  func train(console: Console, interruption: Interruption) async throws {
    let ending: Ending
    do {
      ending = try await train(console, interruption, dropped: { 0 }) { _, _ in }
    } catch is CancellationError {
      console.clear()
      throw CommandFailure(.interrupted, "run \(run): interrupted")
    }
    console.clear()
    console.write(summary(of: ending, alerts: "not streamed", query: ""), isResult: true)
  }

  private func train(
    _ console: Console,
    _ interruption: Interruption,
    dropped: () -> UInt64,
    observe: (TrainingStep, [LayerDescription]) -> Void
  ) async throws -> Ending {
    var trainer = Trainer(experiment)
    let layers = trainer.network.layers
    var progress = Progress(
      name: experiment.name,
      total: min(maximumSteps, experiment.stepCount),
      console: console
    )
    var ending = Ending()
    while ending.stepCount < maximumSteps, let step = trainer.next() {
      try interruption.check()
      observe(step, layers)
      ending.stepCount += 1
      ending.lastLoss = Double(step.loss)
      if !step.loss.isFinite, ending.firstNonFiniteStep == nil {
        ending.firstNonFiniteStep = step.index
      }
      progress.advance(loss: ending.lastLoss, dropped: dropped)
      // This loop never waits, and the sender needs a thread too.
      await Task.yield()
    }
    return ending
  }

  private func summary(of ending: Ending, alerts: String, query: String) -> String {
    var loss = "loss \(NumberText.short(ending.lastLoss))"
    if let step = ending.firstNonFiniteStep { loss += " (not finite since step \(step))" }
    return "\(run): \(ending.stepCount) steps, \(loss), \(alerts)\(query)\n"
  }

  /// Throws if not everything was delivered, and tells of what was refused or dropped.
  private func check(_ delivery: DeliveryStatus, _ address: CollectorAddress) throws {
    if let refusal = delivery.firstRefusal {
      Console.diagnose(
        "run \(run): \(delivery.refused) reports refused, the first of step \(refusal.step): "
          + "\(refusal.field): \(refusal.reason)"
      )
    }
    if case .failed(let error) = delivery.state {
      throw CommandFailure(.unreachable, "\(address): \(error)", whenRefused: error)
    }
    if delivery.dropped > 0 {
      Console.diagnose("run \(run): \(delivery.dropped) steps dropped, the buffer was full")
    }
  }
}

extension CommandFailure {
  /// A failure to reach the collector, unless it was there and refused.
  fileprivate init(_ status: Status, _ description: String, whenRefused error: ClientError) {
    let isRefusal =
      switch error {
      case .rejected, .superseded: true
      case .unreachable, .transportEnded, .incomplete: false
      }
    self.init(isRefusal ? .refused : status, description)
  }
}
