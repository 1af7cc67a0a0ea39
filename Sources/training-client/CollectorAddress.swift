import ArgumentParser
import Foundation
import GRPCNIOTransportHTTP2Posix

/// Where a collector listens.
struct CollectorAddress: ExpressibleByArgument, CustomStringConvertible, Sendable {
  private enum Place {
    case tcp(host: String, port: Int)
    case unix(path: String)
  }

  private let place: Place

  /// Where a collector listens unless told otherwise.
  static let standard = CollectorAddress(place: .tcp(host: "127.0.0.1", port: defaultPort))
  private static let defaultPort = 50_151
  private static let variable = "GRADWATCH_ADDRESS"

  private init(place: Place) { self.place = place }

  /// Takes `HOST`, `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
  init?(argument: String) {
    if argument.hasPrefix("unix:") {
      let path = String(argument.dropFirst("unix:".count))
      guard !path.isEmpty else { return nil }
      place = .unix(path: path)
      return
    }
    guard !argument.isEmpty, !argument.contains(where: { $0 == "/" || $0.isWhitespace }),
      let colon = argument.lastIndex(of: ":"), argument.last != "]"
    else {
      let host = argument.trimmingCharacters(in: ["[", "]"])
      guard !host.isEmpty, !host.contains("/"), !host.contains(" ") else { return nil }
      place = .tcp(host: host, port: Self.defaultPort)
      return
    }
    let host = argument[..<colon]
    guard let port = Int(argument[argument.index(after: colon)...]), (1...65_535) ~= port,
      !host.isEmpty, host.first == "[" || !host.contains(":")
    else { return nil }
    place = .tcp(host: host.trimmingCharacters(in: ["[", "]"]), port: port)
  }

  /// The address that the environment names, else the standard one.
  ///
  /// - Throws: ``CommandFailure`` if the environment names one that can't be used.
  static func ofEnvironment() throws(CommandFailure) -> CollectorAddress {
    guard let text = ProcessInfo.processInfo.environment[variable], !text.isEmpty else {
      return .standard
    }
    guard let address = CollectorAddress(argument: text) else {
      throw CommandFailure(
        .usage,
        "\(variable): expected HOST:PORT or unix:PATH, found \(text.debugDescription)"
      )
    }
    return address
  }

  var description: String {
    switch place {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

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
