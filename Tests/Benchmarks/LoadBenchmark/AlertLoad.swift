import ArgumentParser
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// Has runs raise alerts, and measures when subscribers hear of them.
///
/// Each run sends one report, whose loss is NaN. The clock runs from when the report is sent until the
/// alert is there.
struct AlertLoad: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "alerts")

  @Option(help: "The collector's port on this machine.")
  var port: Int

  @Option(help: "Subscribers that hear of all alerts.")
  var subscribers = 1

  @Option(help: "Subscribers besides them that never read.")
  var asleep = 0

  @Option(help: "Alerts to raise.")
  var alerts = 500

  @Option(help: "Alerts a second.")
  var rate = 25.0

  /// Subscriptions of a connection.
  private static let subscriptionsPerConnection = 64
  private static let project = "alerts"

  func run() async throws {
    let hearing = AlertHearing(runs: alerts, subscribers: subscribers)
    try await withClient { client in
      for index in 0..<alerts { try await register(index, through: client) }
    }
    let line = StartLine(count: subscribers + asleep + 1)
    try await withThrowingTaskGroup(of: Void.self) { group in
      let kinds = Array(repeating: true, count: subscribers)
      let all = (kinds + Array(repeating: false, count: asleep)).shuffled()
      for start in stride(from: 0, to: all.count, by: Self.subscriptionsPerConnection) {
        let some = all[start...].prefix(Self.subscriptionsPerConnection)
        group.addTask {
          try await withClient { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
              for isAwake in some {
                group.addTask { try await subscribe(client, line, isAwake ? hearing : nil) }
              }
              try await group.waitForAll()
            }
          }
        }
      }
      await line.arrive()
      try await withClient { client in try await raise(hearing, line.start, through: client) }
      try await hearing.wait(for: .seconds(30))
      group.cancelAll()
      // Subscriptions end by being cancelled, which is no failure.
      while (try? await group.next()) != nil {}
    }
    let (latencies, missing) = hearing.result
    print("{\"heard\": \(latencies.count), \"missing\": \(missing), \(latencies.json)}")
  }

  private func withClient<Value: Sendable>(
    _ body: @Sendable (GRPCClient<HTTP2ClientTransport.Posix>) async throws -> Value
  ) async throws -> Value {
    let transport = try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: port),
      transportSecurity: .plaintext
    )
    return try await withGRPCClient(transport: transport, handleClient: body)
  }

  private func register(
    _ index: Int,
    through client: GRPCClient<HTTP2ClientTransport.Posix>
  ) async throws {
    let registration = try RunRegistration(
      run: RunID(AlertHearing.run(index)),
      project: Self.project,
      producer: Producer(id: ProducerID(IngestLoad.producer)),
      model: Model(
        layers: [Layer(name: "layer")],
        tensors: [Tensor(name: "layer.weight", layer: 0, role: .weight, elementCount: 4)]
      )
    )
    _ = try await Gradwatch_V1_IngestService.Client(wrapping: client)
      .registerRun(Gradwatch_V1_RegisterRunRequest(registration))
  }

  private func subscribe(
    _ client: GRPCClient<HTTP2ClientTransport.Posix>,
    _ line: StartLine,
    _ hearing: AlertHearing?
  ) async throws {
    let request = Gradwatch_V1_SubscribeAlertsRequest.with { $0.projects = [Self.project] }
    try await Gradwatch_V1_AlertService.Client(wrapping: client).subscribeAlerts(request) {
      response in
      guard let hearing else {
        await line.arrive()
        return try await Task.sleep(for: .seconds(3600))
      }
      for try await message in response.messages {
        switch message.event {
        case .caughtUp: await line.arrive()
        case .transition(let transition) where transition.alert.state == .firing:
          hearing.heard(of: transition.alert.runID)
        default: break
        }
      }
    }
  }

  private func raise(
    _ hearing: AlertHearing,
    _ start: ContinuousClock.Instant,
    through client: GRPCClient<HTTP2ClientTransport.Posix>
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<alerts {
        try await Task.sleep(until: start + .seconds(Double(index) / rate), clock: .continuous)
        let request = Gradwatch_V1_ReportStepsRequest.with {
          ($0.runID, $0.producerID) = (AlertHearing.run(index), IngestLoad.producer)
          $0.reports = [
            .with {
              ($0.sequence, $0.wallTimeSeconds) = (1, 1.7e9)
              $0.losses = [.with { ($0.name, $0.value) = ("loss", .nan) }]
            }
          ]
        }
        group.addTask {
          hearing.sent(index)
          _ = try await Gradwatch_V1_IngestService.Client(wrapping: client).reportSteps(request)
        }
      }
      try await group.waitForAll()
    }
  }
}
