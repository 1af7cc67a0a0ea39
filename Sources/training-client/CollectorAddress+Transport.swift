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
          // A stream may be silent between steps; a dead collector has to show all the same.
          config.connection.keepalive = .init(
            time: .seconds(20),
            timeout: .seconds(10),
            allowWithoutCalls: false
          )
        }
      )
    } catch {
      throw CommandFailure(.usage, "\(self): \(error)")
    }
  }
}
