import CollectorService
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import ServiceLifecycle

import struct NIOCore.AdaptiveRecvByteBufferAllocator
import struct NIOCore.ChannelOptions
import struct NIOCore.IOError
import class NIOPosix.ClientBootstrap
import struct NIOPosix.UnixDomainSocketPathWrongType

/// One address at which the collector is served.
struct Listener: Service {
  private let name: String
  private let transport: HTTP2ServerTransport.Posix
  private let server: GRPCServer<HTTP2ServerTransport.Posix>
  private let collector: Collector

  /// The listeners that the settings ask for.
  static func all(
    of settings: Settings,
    for collector: Collector,
    _ logger: Logger
  ) -> [Listener] {
    var listeners: [Listener] = []
    let refusals = FailureLog("accept connections", logger)
    if let address = settings.listen {
      listeners.append(
        Listener(
          name: "\(address)",
          address: address.isIPv6
            ? .ipv6(host: address.host, port: address.port)
            : .ipv4(host: address.host, port: address.port),
          options: settings.options,
          collector: collector,
          refusals: refusals
        )
      )
    }
    if let path = settings.unixSocket {
      listeners.append(
        Listener(
          name: "unix:\(path)",
          address: .unixDomainSocket(path: path),
          options: settings.options,
          collector: collector,
          refusals: refusals
        )
      )
    }
    return listeners
  }

  /// Keeps a collector from taking the path of another's Unix domain socket.
  ///
  /// A socket that a killed one has left refuses whoever connects, and is replaced.
  ///
  /// - Throws: ``StartupError`` if somebody answers there.
  static func checkUnused(_ path: String) async throws {
    let other = try? await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connect(unixDomainSocketPath: path).get()
    guard let other else { return }
    try? await other.close()
    throw StartupError(description: "listen on unix:\(path): in use by another process")
  }

  private init(
    name: String,
    address: SocketAddress,
    options: CollectorOptions,
    collector: Collector,
    refusals: FailureLog
  ) {
    self.name = name
    self.collector = collector
    transport = HTTP2ServerTransport.Posix(
      address: address,
      transportSecurity: .plaintext,
      config: .gradwatch(options, refusals)
    )
    server = GRPCServer(transport: transport, services: collector.services)
  }

  func run() async throws {
    try await withGracefulShutdownHandler {
      try await serve()
    } onGracefulShutdown: {
      collector.beginShutdown()
      server.beginGracefulShutdown()
    }
  }

  /// Where it listens, as the system has it; waits until it does.
  ///
  /// - Throws: If it can't listen.
  var place: String {
    get async throws {
      let address = try await transport.listeningAddress
      return address.ipv4.map { "\($0.host):\($0.port)" }
        ?? address.ipv6.map { "[\($0.host)]:\($0.port)" } ?? name
    }
  }

  private func serve() async throws {
    do {
      try await server.serve()
    } catch {
      throw StartupError(description: "listen on \(name): \(Self.reason(of: error))")
    }
  }

  /// The system's own words for why an address can't be used.
  private static func reason(of error: any Error) -> String {
    let cause = (error as? RPCError)?.cause ?? (error as? RuntimeError)?.cause ?? error
    if cause is UnixDomainSocketPathWrongType {
      return "expected a socket or nothing, found something else"
    }
    guard let failure = cause as? IOError else { return "\(cause)" }
    return String(cString: strerror(failure.errnoCode))
  }
}

extension HTTP2ServerTransport.Posix.Config {
  /// The transport, for streams of large messages of which there may be thousands.
  fileprivate static func gradwatch(_ options: CollectorOptions, _ refusals: FailureLog) -> Self {
    .defaults { config in
      config.channelDebuggingCallbacks.onBindTCPListener = { listener in
        listener.eventLoop.makeCompletedFuture {
          try listener.pipeline.syncOperations.addHandler(AcceptPause(refusals))
        }
      }
      // What a connection may hold unread is memory. A stream of steps is as fast as with eight times as much, on one machine; over a
      // network of 10 ms a connection carries 12 MB/s, 75,000 tensors and steps a second.
      config.http2.targetWindowSize = 128 << 10
      // While what it read before is still held, the transport copies each read into a buffer as large as the last, which the rest
      // of a frame's head doubles. 1,000 streams that never stop held 1.3 GB with reads of up to 64 KiB and twice the window, and
      // hold 0.9, for the same processor time.
      config.channelDebuggingCallbacks.onAcceptTCPConnection = { connection in
        let sizes = AdaptiveRecvByteBufferAllocator(
          minimum: 1 << 10,
          initial: 2 << 10,
          maximum: 8 << 10
        )
        return connection.setOption(.recvAllocator, value: sizes)
      }
      config.http2.maxFrameSize = 128 << 10
      // Unset, the transport allows 100 and ends the connection of a client that opens more. A telemetry
      // stream lasts as long as its job, and a proxy may put hundreds on one connection.
      config.http2.maxConcurrentStreams = 8192
      config.rpc.maxRequestPayloadSize = options.maximumMessageBytes
      // Off by default, where a client that compresses gets UNIMPLEMENTED.
      config.compression.enabledAlgorithms = .all
      // A peer that vanished without a word is noticed within two minutes.
      config.connection.keepalive.time = .seconds(90)
      config.connection.keepalive.timeout = .seconds(20)
      config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(
        options.minimumKeepaliveSeconds
      )
      config.connection.keepalive.clientBehavior.allowWithoutCalls = true
    }
  }
}
