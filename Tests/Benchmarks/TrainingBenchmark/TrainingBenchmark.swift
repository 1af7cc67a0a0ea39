import Telemetry
import TrainingEngine
import TrainingReports

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How fast the engine trains: samples a second of forward pass, backward pass and update, in
/// `Float`.
///
/// Seconds are those of this process on the processor, so that what else runs on the machine counts
/// little. Prints a line for each workload named on the command line, or for all: its name and the
/// number. `pytorch_reference.py` does the same work.
///
/// With `--reports` also what a report of each step, with histograms on every tenth, adds to a step
/// of a trainer, as a share of it: of the time that passes, where reports are made beside the next
/// step, and of the time on the processor. The median of rounds that take turns.
@main @MainActor
struct TrainingBenchmark {
  static func main() async throws {
    let measuresReports = CommandLine.arguments.contains("--reports")
    let names = CommandLine.arguments.dropFirst().filter { $0 != "--reports" }
    for workload in Workload.all where names.isEmpty || names.contains(workload.name) {
      print(workload.name, try samplesPerSecond(workload))
      guard measuresReports else { continue }
      var shares: [Span] = []
      for _ in 0..<roundCount {
        let plain = try await train(workload, isReporting: false)
        let reported = try await train(workload, isReporting: true)
        shares.append(
          Span(
            passed: reported.passed / plain.passed - 1,
            processor: reported.processor / plain.processor - 1
          )
        )
      }
      print("\(workload.name)_report_share", shares.map(\.passed).sorted()[roundCount / 2])
      print(
        "\(workload.name)_report_processor_share",
        shares.map(\.processor).sorted()[roundCount / 2]
      )
    }
  }

  private static let roundCount = 9

  /// Seconds: by the clock, and of this process on the processor.
  private struct Span {
    var passed: Double
    var processor: Double
  }

  /// Times the steps of a trainer after its first ones, each turned into a report if wanted.
  private static func train(_ workload: Workload, isReporting: Bool) async throws -> Span {
    let (inputs, targets) = workload.makeBatch()
    var trainer = try Trainer(
      Experiment(
        name: workload.name,
        data: .given(Dataset(inputs: inputs, targets: targets), name: "one batch"),
        layers: workload.layers,
        loss: workload.loss,
        updateRule: workload.rule,
        batchSize: workload.batchSize,
        epochs: workload.warmUp + workload.updates
      )
    )
    let reporter = try StepReporter(trainer)
    for _ in 1..<workload.warmUp { _ = trainer.next() }
    let start = Span(passed: seconds(CLOCK_MONOTONIC), processor: processorSeconds())
    var upcoming = trainer.next()
    while let step = upcoming {
      if isReporting {
        async let report = reporter.report(of: step)
        upcoming = trainer.next()
        if await report.scalars.losses.isEmpty { break }
      } else {
        upcoming = trainer.next()
      }
    }
    return Span(
      passed: seconds(CLOCK_MONOTONIC) - start.passed,
      processor: processorSeconds() - start.processor
    )
  }

  private static func samplesPerSecond(_ workload: Workload) throws -> Double {
    var generator = SeededGenerator(seed: 1)
    var network = try Network<Float>(
      inputShape: workload.sampleShape,
      plan: workload.layers,
      using: &generator
    )
    var optimizer = Optimizer<Float>(workload.rule)
    let (inputs, targets) = workload.makeBatch()
    var start = 0.0
    for update in -workload.warmUp..<workload.updates {
      if update == 0 { start = processorSeconds() }
      let derivative = network.differentiate(
        workload.loss,
        inputs: inputs,
        targets: targets,
        using: &generator
      )
      optimizer.update(&network, with: derivative.gradients)
    }
    let seconds = processorSeconds() - start
    return Double(workload.updates * workload.batchSize) / seconds
  }

  private static func processorSeconds() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
