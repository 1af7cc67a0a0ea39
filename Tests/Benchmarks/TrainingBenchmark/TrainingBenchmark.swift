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
/// number. `pytorch_reference.py` does the same work. With `--reports` also what a report of each step, with
/// histograms on every tenth, adds as a share of the step.
@main
struct TrainingBenchmark {
  static func main() throws {
    let measuresReports = CommandLine.arguments.contains("--reports")
    let names = CommandLine.arguments.dropFirst().filter { $0 != "--reports" }
    for workload in Workload.all where names.isEmpty || names.contains(workload.name) {
      let plain = try samplesPerSecond(workload)
      print(workload.name, plain)
      guard measuresReports else { continue }
      // The step that is reported also deals the batch out, and keeps the parameters from before.
      let reported = try samplesPerSecondReported(workload)
      print("\(workload.name)_report_share", plain / reported - 1)
    }
  }

  /// The same through a trainer, with every step turned into a report.
  private static func samplesPerSecondReported(_ workload: Workload) throws -> Double {
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
    var start = 0.0
    while let step = trainer.next() {
      if step.index == workload.warmUp { start = processorSeconds() }
      if reporter.report(of: step).scalars.losses.isEmpty { break }
    }
    let seconds = processorSeconds() - start
    return Double((workload.updates - 1) * workload.batchSize) / seconds
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

  private static func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
