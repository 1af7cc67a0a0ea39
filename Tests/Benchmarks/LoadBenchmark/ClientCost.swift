import ArgumentParser
import Foundation
import GRPCNIOTransportHTTP2Posix
import GradwatchClient
import Telemetry

/// What the Swift client costs a training loop: the call that hands a report over, the processor time of
/// all that follows, and the statistics of gradients.
struct ClientCost: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "client")

  @Option(help: "The collector's port on this machine; nobody need be there.")
  var port: Int

  @Option(help: "The run.")
  var run = "client"

  @Option(help: "Steps of the loop.")
  var steps: UInt64 = 1000

  @Option(help: "Tensors of a report.")
  var tensors = 200

  @Option(help: "Milliseconds from step to step.")
  var interval = 5.0

  /// Elements of a gradient.
  private static let elements = 1 << 20

  func run() async throws {
    let gradient = (0..<Self.elements).map { _ in Float.random(in: -0.1...0.1) }
    let plain = Self.nanosecondsAnElement(gradient, takesHistogram: false)
    let whole = Self.nanosecondsAnElement(gradient, takesHistogram: true)
    let transport = try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: port),
      transportSecurity: .plaintext
    )
    var options = RunOptions()
    options.flushTimeout = .seconds(1)
    let registration = try RunRegistration(
      run: RunID(run),
      project: IngestLoad.project,
      producer: Producer(id: ProducerID(IngestLoad.producer)),
      model: Model(
        layers: (0..<tensors).map { Layer(name: "layer\($0)") },
        tensors: (0..<tensors).map {
          Tensor(name: "layer\($0).weight", layer: UInt32($0), role: .weight, elementCount: 4096)
        }
      )
    )
    let summaries = (0..<tensors).map { tensor in
      GradientSummary(Array(gradient[(4096 * tensor % Self.elements)...].prefix(4096)))
    }
    let model = registration.model
    let outcome = try await withRun(
      transport: transport,
      registration: registration,
      options: options
    ) { run in
      var latencies = Latencies()
      let start = ContinuousClock.now
      let before = Self.processorSeconds()
      for step in 0..<steps {
        try await Task.sleep(
          until: start + .milliseconds(Double(step) * interval),
          clock: .continuous
        )
        let time = WallTime(clamping: 1.7e9 + Double(step))
        var builder = StepReportBuilder(
          model: model,
          step: step,
          wallTime: time,
          histogramInterval: 1
        )
        for (tensor, summary) in summaries.enumerated() { builder.add(summary, tensor: tensor) }
        let report = builder.report()
        let called = ContinuousClock.now
        run.report(report)
        latencies.add(ContinuousClock.now - called)
      }
      return (latencies, Self.processorSeconds() - before)
    }
    let (latencies, processor) = outcome.value
    print(
      """
      {"processor_us_a_step": \(processor / Double(steps) * 1e6), \
      "delivered": \(outcome.delivery.delivered), "ns_an_element": \(plain), \
      "ns_an_element_with_histogram": \(whole), \(latencies.json)}
      """
    )
  }

  private static func nanosecondsAnElement(_ gradient: [Float], takesHistogram: Bool) -> Double {
    let times = (0..<9).map { _ in
      let before = processorSeconds()
      let summary = gradient.withUnsafeBufferPointer {
        GradientSummary($0, takesHistogram: takesHistogram)
      }
      return (processorSeconds() - before) * (summary.norm > 0 ? 1 : .nan)
    }
    return times.sorted()[4] / Double(gradient.count) * 1e9
  }

  private static func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
