import GRPCCore
import GradwatchClient
import Synchronization
import Telemetry

/// The run that the tests of this target register, and its reports.
enum RunFixture {
  static func registration(rank: UInt32? = nil) throws -> RunRegistration {
    try RunRegistration(
      run: RunID("run"),
      project: "tests",
      producer: Producer(id: ProducerID("p"), rank: rank),
      model: Model(
        layers: [Layer(name: "a")],
        tensors: [Tensor(name: "a.weight", layer: 0, role: .weight, elementCount: 2)]
      )
    )
  }

  static func report(_ step: UInt64) -> StepReport {
    var report = StepReport(
      sequence: 0,
      scalars: StepScalars(step: step, wallTime: WallTime(clamping: 1000))
    )
    report.gradients.norm = [Float(step)]
    return report
  }

  /// What a collector that is away answers.
  static let unavailable = RPCError(code: .unavailable, message: "away")

  /// Reports `steps` to a collector and ends the run.
  static func report(
    _ steps: Range<UInt64>,
    to collector: FakeCollector,
    options: RunOptions = Pauses().options()
  ) async throws -> DeliveryStatus {
    let registration = try registration()
    return try await withFakeCollector(collector) { transport in
      try await withRun(transport: transport, registration: registration, options: options) {
        run in
        for step in steps { run.report(report(step)) }
      }.delivery
    }
  }
}

/// Options whose pauses take no time and are written down.
final class Pauses: Sendable {
  private let recorded = Mutex<[Duration]>([])

  /// The pauses between attempts, in order.
  var all: [Duration] { recorded.withLock { $0 } }

  /// Options with a fixed draw for each pause; the time for the end is real, or over at once.
  func options(fraction: Double = 0.5, flushTimeIsOver: Bool = false) -> RunOptions {
    var options = RunOptions()
    options.timing.fraction = { fraction }
    options.timing.sleep = { [flushTimeout = options.flushTimeout] duration in
      if duration == flushTimeout {
        if !flushTimeIsOver { try await Task.sleep(for: duration) }
      } else {
        self.recorded.withLock { $0.append(duration) }
        await Task.yield()
      }
    }
    return options
  }
}
