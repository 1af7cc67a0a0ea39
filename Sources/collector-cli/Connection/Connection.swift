import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GradwatchClient
import TelemetryWire

/// A client of one collector, open for the length of a scope.
struct Connection: Sendable {
  /// The collector.
  let address: CollectorAddress
  /// Where a run's end is told; what streams goes through the client library.
  let ingest: Gradwatch_V1_IngestService.Client<HTTP2ClientTransport.Posix>
  /// Its queries.
  let query: Gradwatch_V1_QueryService.Client<HTTP2ClientTransport.Posix>
  /// Its alerts.
  let alerts: Gradwatch_V1_AlertService.Client<HTTP2ClientTransport.Posix>
  /// Its upkeep.
  let admin: Gradwatch_V1_AdminService.Client<HTTP2ClientTransport.Posix>
  /// Options of a call with one answer.
  let unary: CallOptions
  /// Options of a call that streams its answer.
  let stream: CallOptions

  /// Connects, runs `body`, and closes the connection whatever happens.
  ///
  /// - Throws: What `body` throws, an error of gRPC as ``CommandFailure``.
  static func with<Result: Sendable>(
    _ options: ConnectionOptions,
    _ body: (Connection) async throws -> Result
  ) async throws -> Result {
    let address = try options.address()
    var result: Result?
    do {
      return try await withGRPCClient(transport: address.makeTransport()) { client in
        let answer = try await body(
          Connection(
            address: address,
            ingest: .init(wrapping: client),
            query: .init(wrapping: client),
            alerts: .init(wrapping: client),
            admin: .init(wrapping: client),
            unary: Self.callOptions(timeout: options.unaryTimeout),
            stream: Self.callOptions(timeout: options.streamTimeout)
          )
        )
        result = answer
        return answer
      }
    } catch let error as RPCError {
      throw CommandFailure(error, from: address)
    } catch let error as RuntimeError {
      // A body that calls nothing can be done before the connections begin, which is an error to gRPC.
      if let result { return result }
      throw CommandFailure(.unreachable, "\(address): \(error.message)")
    }
  }

  /// Options without a deadline, for a subscription.
  var unbounded: CallOptions { Self.callOptions(timeout: nil) }

  private static func callOptions(timeout: Duration?) -> CallOptions {
    var options = CallOptions.defaults
    options.timeout = timeout
    // A page of 1,000 layers with long names, or of wide histograms, passes gRPC's default of 4
    // MiB. The transport takes its limit of an answer from the option for requests.
    options.maxRequestMessageBytes = 256 << 20
    options.maxResponseMessageBytes = 256 << 20
    return options
  }
}

extension CollectorAddress {
  /// A transport for one client.
  func makeTransport() throws -> HTTP2ClientTransport.Posix {
    try HTTP2ClientTransport.Posix(
      target: target,
      transportSecurity: .plaintext,
      config: .defaults { config in
        // Larger frames than the usual 16 KiB carry six times as much a second; the default window is 8 MiB already.
        config.http2.maxFrameSize = 256 << 10
        // A subscription may be silent for hours; a dead peer has to show all the same. Without calls too: the transport stops its pings
        // when there is no call, and does not begin again with the next.
        config.connection.keepalive = .init(
          time: .seconds(60),
          timeout: .seconds(20),
          allowWithoutCalls: true
        )
      }
    )
  }

  /// What the transport connects to.
  fileprivate var target: any ResolvableTarget {
    switch place {
    case .tcp(let host, let port): .dns(host: host, port: port)
    case .unix(let path): .unixDomainSocket(path: path)
    }
  }
}
