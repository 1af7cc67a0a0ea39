import ArgumentParser
import CollectorService
import Foundation
import GRPCCore
import Logging
import RunStore
import ServiceLifecycle
import Telemetry
import UnixSignals

/// `collector serve`: opens the database, listens, and serves until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve until SIGTERM or SIGINT.",
    discussion: """
      Every option can also be set by an environment variable (GRADWATCH_ and the option's name in \
      capitals with underscores, such as GRADWATCH_UNIX_SOCKET) or by its name in a YAML file; an option \
      counts before the environment, and that before the file.
      """
  )

  @Option(help: "Where to listen on TCP: HOST:PORT, port 0 for any, or none. [127.0.0.1:50151]")
  var listen: String?

  @Option(help: "Also listen on a Unix socket at this path.")
  var unixSocket: String?

  @Option(help: "The database file; made if it does not exist. [gradwatch.sqlite]")
  var database: String?

  @Option(help: "trace, debug, info, notice, warning, error or critical. [info]")
  var logLevel: String?

  @Option(help: "Reports of one stream that may be in flight. [64]")
  var streamCredits: String?

  @Option(help: "The largest message in bytes. [33554432]")
  var maxMessageBytes: String?

  @Option(help: "Bytes of reports that may wait for the disk. [134217728]")
  var maxPendingBytes: String?

  @Option(help: "Producers whose detectors are held in memory. [8192]")
  var maxLiveProducers: String?

  @Option(help: "Tensors and layers of these producers, 200 to 300 bytes each. [4194304]")
  var maxLiveTensors: String?

  @Option(help: ArgumentHelp("A YAML file with any of these settings.", valueName: "file"))
  var config: String?

  func run() async throws {
    let given = [
      "listen": listen, "unix-socket": unixSocket, "database": database, "log-level": logLevel,
      "stream-credits": streamCredits, "max-message-bytes": maxMessageBytes,
      "max-pending-bytes": maxPendingBytes, "max-live-producers": maxLiveProducers,
      "max-live-tensors": maxLiveTensors,
    ]
    let environment = ProcessInfo.processInfo.environment
    var settings = try Settings(
      flags: given.compactMapValues(\.self),
      file: config ?? environment["GRADWATCH_CONFIG"]
    )
    settings.listen = try settings.listen?.resolved()
    var logger = Logger(label: "collector") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = settings.logLevel

    OpenFiles.raiseLimit()
    if let path = settings.unixSocket { try await Listener.checkUnused(path) }
    let collector = try openCollector(settings, logger)
    let listeners = Listener.all(of: settings, for: collector, logger)
    let lastResort = LastResort(logger)
    // They are told to stop in reverse order: before the others the listeners, which end their streams.
    let services: [ServiceGroupConfiguration.ServiceConfiguration] =
      [
        .init(service: collector, failureTerminationBehavior: .gracefullyShutdownGroup),
        .init(service: Announcement(listeners: listeners, logger: logger)),
      ] + listeners.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) }
      + [.init(service: lastResort)]
    // The group describes every service whole at `debug`.
    var groupLogger = logger
    groupLogger.logLevel = max(logger.logLevel, .notice)
    var configuration = ServiceGroupConfiguration(
      services: services,
      gracefulShutdownSignals: [.sigterm, .sigint],
      logger: groupLogger
    )
    // Streams end by themselves within this; then they are cut, so that the whole takes under 5 seconds.
    configuration.maximumGracefulShutdownDuration = .seconds(3)
    do {
      defer { lastResort.end() }
      try await ServiceGroup(configuration: configuration).run()
    } catch is CancellationError {
      logger.warning("streams were still open at shutdown and were cut")
    } catch {
      try? await collector.close()
      throw error as? StartupError ?? StartupError(description: "\(error)")
    }
    try await collector.close()
    logger.info("stopped: all that was accepted is durable")
  }

  private func openCollector(_ settings: Settings, _ logger: Logger) throws -> Collector {
    do {
      let store = try SQLiteRunStore(path: settings.database)
      let start = ContinuousClock.now
      return try Collector(
        store: store,
        options: settings.options,
        logger: logger,
        now: { WallTime(clamping: Date().timeIntervalSince1970) },
        uptime: { ContinuousClock.now - start }
      )
    } catch {
      throw StartupError(description: "\(error)")
    }
  }
}
