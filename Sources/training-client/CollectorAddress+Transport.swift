import GRPCNIOTransportHTTP2Posix
import GradwatchClient

extension CollectorAddress {
  /// A connection to it, without encryption; each run needs its own.
  func makeTransport() throws(CommandFailure) -> HTTP2ClientTransport.Posix {
    let target: any ResolvableTarget =
      switch place {
      case .tcp(let host, let port): .dns(host: host, port: port)
      case .unix(let path): .unixDomainSocket(path: path)
      }
    do {
      return try HTTP2ClientTransport.Posix(
        target: target,
        transportSecurity: .plaintext,
        config: .defaults { config in
          // The server's window and frames decide how fast reports go up; these are for what comes
          // down.
          config.http2.maxFrameSize = 256 << 10
          // Try again about as often as the run itself does.
          config.backoff.initial = .milliseconds(200)
          config.backoff.max = .seconds(5)
          // A stream may be silent between steps; a dead connection has to show all the same, and in less time than the end of a run
          // may take. Collectors take a ping each 10 s. Without calls too: the transport stops its pings when the registration ends, and
          // does not begin again with the stream.
          config.connection.keepalive = .init(
            time: .seconds(12),
            timeout: .seconds(5),
            allowWithoutCalls: true
          )
        }
      )
    } catch {
      throw CommandFailure(.usage, "\(self): \(error)")
    }
  }
}
