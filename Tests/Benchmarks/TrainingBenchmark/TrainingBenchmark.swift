import TrainingEngine

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
@main
struct TrainingBenchmark {
  static func main() throws {
    let names = CommandLine.arguments.dropFirst()
    for workload in Workload.all where names.isEmpty || names.contains(workload.name) {
      print(workload.name, try samplesPerSecond(workload))
    }
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
