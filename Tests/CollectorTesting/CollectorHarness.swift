public import CollectorService
public import GRPCCore
public import GRPCInProcessTransport
public import GRPCNIOTransportHTTP2Posix
import Logging
public import RunStore
import Telemetry
public import TelemetryTesting
public import TelemetryWire

/// How a test reaches its collector.
public enum TestTransport: Sendable, CaseIterable {
  /// Without a socket.
  case inProcess
  /// Over HTTP/2 on the loopback interface.
  case socket
}

/// A collector that serves, and a client of it.
public struct CollectorHarness<Transport: ClientTransport>: Sendable {
  /// The collector.
  public let collector: Collector
  /// Its clock.
  public let clock: TestClock
  /// The ingest service.
  public let ingest: Gradwatch_V1_IngestService.Client<Transport>
  /// The query service.
  public let query: Gradwatch_V1_QueryService.Client<Transport>
  /// The alert service.
  public let alerts: Gradwatch_V1_AlertService.Client<Transport>
  /// The admin service.
  public let admin: Gradwatch_V1_AdminService.Client<Transport>
  /// The health service.
  public let health: Grpc_Health_V1_Health.Client<Transport>
  /// Begins the graceful shutdown, as SIGTERM does.
  public let beginShutdown: @Sendable () -> Void
}

/// Serves a collector over `store` and runs `body` with a client of it; closes both afterwards.
public func withCollector(
  store: any RunStore,
  options: CollectorOptions = CollectorOptions(),
  _ body: @Sendable @escaping (CollectorHarness<InProcessTransport.Client>) async throws -> Void
) async throws {
  let clock = TestClock()
  let collector = try makeCollector(store, options, clock)
  let transport = InProcessTransport()
  let server = GRPCServer(transport: transport.server, services: collector.services)
  try await serve(collector, server, clock, clientTransport: transport.client, body)
}

/// The same over a socket.
public func withSocketCollector(
  store: any RunStore,
  options: CollectorOptions = CollectorOptions(),
  _ body:
    @Sendable @escaping (CollectorHarness<HTTP2ClientTransport.Posix>) async throws -> Void
) async throws {
  let clock = TestClock()
  let collector = try makeCollector(store, options, clock)
  let transport = HTTP2ServerTransport.Posix(
    address: .ipv4(host: "127.0.0.1", port: 0),
    transportSecurity: .plaintext
  )
  let server = GRPCServer(transport: transport, services: collector.services)
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.serve() }
    let address = try await transport.listeningAddress
    guard let port = address.ipv4?.port else { throw HarnessError.noPort }
    let client = try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: port),
      transportSecurity: .plaintext
    )
    try await use(collector, server, clock, client, body)
    try await group.waitForAll()
  }
  try await collector.close()
}

private enum HarnessError: Error { case noPort }

private func makeCollector(
  _ store: any RunStore,
  _ options: CollectorOptions,
  _ clock: TestClock
) throws -> Collector {
  var logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
  logger.logLevel = .critical
  return try Collector(
    store: store,
    options: options,
    logger: logger,
    now: { clock.now },
    uptime: { clock.uptime }
  )
}

private func serve<Server: ServerTransport, Client: ClientTransport>(
  _ collector: Collector,
  _ server: GRPCServer<Server>,
  _ clock: TestClock,
  clientTransport: Client,
  _ body: @Sendable @escaping (CollectorHarness<Client>) async throws -> Void
) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.serve() }
    try await use(collector, server, clock, clientTransport, body)
    try await group.waitForAll()
  }
  try await collector.close()
}

private func use<Server: ServerTransport, Client: ClientTransport>(
  _ collector: Collector,
  _ server: GRPCServer<Server>,
  _ clock: TestClock,
  _ transport: Client,
  _ body: @Sendable @escaping (CollectorHarness<Client>) async throws -> Void
) async throws {
  let beginShutdown: @Sendable () -> Void = {
    collector.beginShutdown()
    server.beginGracefulShutdown()
  }
  defer { beginShutdown() }
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await collector.run() }
    defer { group.cancelAll() }
    try await withGRPCClient(transport: transport) { client in
      try await body(
        CollectorHarness(
          collector: collector,
          clock: clock,
          ingest: .init(wrapping: client),
          query: .init(wrapping: client),
          alerts: .init(wrapping: client),
          admin: .init(wrapping: client),
          health: .init(wrapping: client),
          beginShutdown: beginShutdown
        )
      )
    }
  }
}
