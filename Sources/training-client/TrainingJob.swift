import GradwatchClient
import Telemetry
import TerminalOutput
import TrainingEngine
import TrainingReports

/// One experiment, trained once.
///
/// It trains on the main thread, and what it streams is made and sent on the others: a step that moved from core to core
/// would find nothing of the one before in its cache.
@MainActor
struct TrainingJob {
  let experiment: Experiment
  let run: RunID
  let options: ExperimentOptions
  let reaction: Reaction

  /// Trains, streams every step, and tells alerts as they arrive.
  ///
  /// - Throws: ``CommandFailure`` if the run could not be delivered, or was interrupted.
  func run(console: Console, interruption: Interruption) async throws -> TrainingResult {
    do {
      let trainer = try Trainer(experiment)
      let reporter = try StepReporter(trainer, histogramInterval: options.histogramEvery)
      if options.dryRun {
        let result = try await train(trainer, reporter, [], console, interruption)
        console.clear()
        return result
      }
      return try await stream(trainer, reporter, console, interruption)
    } catch is CancellationError {
      console.clear()
      let ending = options.dryRun ? "" : ", ended as aborted"
      throw CommandFailure(.interrupted, "run \(run): interrupted\(ending)")
    } catch let error as TrainingError {
      throw CommandFailure(.usage, "\(experiment.name): \(error)")
    }
  }

  private func stream(
    _ trainer: Trainer,
    _ reporter: StepReporter,
    _ console: Console,
    _ interruption: Interruption
  ) async throws -> TrainingResult {
    let address = try options.address()
    let log = AlertLog(console: console)
    console.show("run \(run), project \(options.project), to \(address)")
    let outcome: RunOutcome<TrainingResult>
    do {
      outcome = try await withRanks([], of: reporter.model, address) { ranks in
        async let alerts: Void = log.follow(ranks[0].alerts)
        let result = try await train(trainer, reporter, ranks, console, interruption)
        for rank in ranks.reversed() { await rank.finish(as: result.status, reason: result.reason) }
        await alerts
        return result
      }
    } catch let error as ClientError {
      throw CommandFailure(.unreachable, "\(address): \(error)", whenRefused: error)
    }
    console.clear()
    var result = outcome.value
    // Of a run that nobody received there is nothing to tell or to ask.
    result.isStreamed = outcome.delivery.delivered > 0
    if result.isStreamed { result.alertCounts = log.counts }
    result.failure = failure(of: outcome.delivery, address)
    return result
  }

  /// Opens a stream for each rank that has none, and calls `body` with all of them.
  private func withRanks(
    _ open: [LiveRun],
    of model: Model,
    _ address: CollectorAddress,
    body: ([LiveRun]) async throws -> TrainingResult
  ) async throws -> RunOutcome<TrainingResult> {
    let registration = try RunRegistration(
      run: run,
      project: options.project,
      name: experiment.title,
      tags: [experiment.identifier, experiment.name],
      hyperparameters: experiment.hyperparameters,
      framework: "gradwatch TrainingEngine",
      producer: Producer(
        id: ProducerID("rank-\(open.count)"),
        rank: UInt32(open.count),
        worldSize: UInt32(experiment.rankCount)
      ),
      model: model
    )
    var settings = RunOptions()
    settings.requiresCollector = options.server != nil
    settings.wantsAlerts = open.isEmpty
    return try await withRun(
      transport: try address.makeTransport(),
      registration: registration,
      options: settings
    ) { live in
      let ranks = open + [live]
      if ranks.count == experiment.rankCount { return try await body(ranks) }
      return try await withRanks(ranks, of: model, address, body: body).value
    }
  }

  /// Trains; streams what each rank found through the run at its index, if there are any.
  private func train(
    _ trainer: Trainer,
    _ reporter: StepReporter,
    _ ranks: [LiveRun],
    _ console: Console,
    _ interruption: Interruption
  ) async throws -> TrainingResult {
    let roles = trainer.network.parameters.map(\.role)
    let total = min(options.steps ?? .max, experiment.stepCount)
    var loop = TrainingLoop(trainer, stepCount: total, reaction: reaction)
    var progress = Progress(name: experiment.name, total: total, console: console)
    var result = TrainingResult(experiment: experiment, run: run)
    var last: TrainingStep?
    var upcoming = await loop.next(hearing: ranks.first)
    while let (step, annotation) = upcoming {
      try interruption.check()
      if let annotation { console.write("acted    step \(step.index)  \(annotation.detail)\n") }
      let isReported = step.index % options.every == 0 || annotation != nil
      async let reports = isReported ? reporter.reports(of: step, annotation, ranks.count) : []
      // Made beside the next step, which must not wait for statistics; but one that acts waits for the judgement on them.
      if reaction == .none { upcoming = await loop.next(hearing: nil) }
      for (live, report) in zip(ranks, await reports) { live.report(report) }
      result.add(step, roles: roles)
      last = step
      progress.advance(loss: result.lastLoss, dropped: { ranks.first?.status.dropped ?? 0 })
      if reaction == .stop, annotation != nil {
        result.isStopped = true
        break
      }
      if reaction != .none { upcoming = await loop.next(hearing: ranks.first) }
    }
    result.lastNorms = last?.weightNorms(roles: roles) ?? []
    return result
  }

  /// Tells of what was refused or dropped, and returns why the rest was not delivered, if it was not.
  private func failure(
    of delivery: DeliveryStatus,
    _ address: CollectorAddress
  ) -> CommandFailure? {
    if let refusal = delivery.firstRefusal {
      Console.diagnose(
        "run \(run): \(delivery.refused) reports refused, the first of step \(refusal.step): "
          + "\(refusal.field): \(refusal.reason)"
      )
    }
    if case .failed(let error) = delivery.state {
      return CommandFailure(.unreachable, "\(address): \(error)", whenRefused: error)
    }
    if delivery.dropped > 0 {
      Console.diagnose("run \(run): \(delivery.dropped) steps dropped, the buffer was full")
    }
    return nil
  }
}

extension StepReporter {
  /// What each rank found at a step; what the loop did is the first one's to tell.
  fileprivate func reports(
    of step: TrainingStep,
    _ annotation: StepAnnotation?,
    _ rankCount: Int
  ) -> [StepReport] {
    (0..<rankCount).map { rank in
      var report = report(of: step, rank: rank)
      if rank == 0, let annotation { report.scalars.annotations = [annotation] }
      return report
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
