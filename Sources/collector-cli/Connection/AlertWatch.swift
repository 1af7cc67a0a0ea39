import GRPCCore
import SwiftProtobuf
import Synchronization
import TelemetryWire

/// A subscription that outlives its connections.
///
/// The first connection has to succeed; after that a lost one is opened again after 1, 2, 4 … 30
/// seconds, each made shorter by up to a half at random, so that many watchers do not come back at
/// once.
final class AlertWatch: Sendable {
  private let options: ConnectionOptions
  private let request: Gradwatch_V1_SubscribeAlertsRequest
  private let output: Output
  private let position: Mutex<Position>

  /// Where the subscription stands.
  private struct Position {
    /// The last transition seen; `nil` before the subscription was live.
    var cursor: Int64?
    /// Open alerts that were written before the subscription was live.
    var written: Set<String> = []
    /// Whether this connection brought anything.
    var isConnected = false
    /// Whether any connection became live.
    var wasLive = false
  }

  private static let longestPause = 30.0

  init(
    options: ConnectionOptions,
    request: Gradwatch_V1_SubscribeAlertsRequest,
    output: Output
  ) {
    self.options = options
    self.request = request
    self.output = output
    position = Mutex(Position(cursor: request.hasCursor ? request.cursor : nil))
  }

  /// Watches until the task is cancelled, the reader of the output goes, or the collector refuses.
  func run() async throws {
    var pause = 1.0
    var isFirst = true
    while true {
      let failure: CommandFailure
      do {
        try await follow()
        failure = CommandFailure(.unreachable, "\(try options.address()): the stream ended")
      } catch let error as CommandFailure where error.status == .unreachable {
        failure = error
      }
      let wasConnected = position.withLock { position in
        defer { position.isConnected = false }
        return position.isConnected
      }
      guard wasConnected || !isFirst else { throw failure }
      isFirst = false
      if wasConnected { pause = 1 }
      Diagnostics.write("\(failure.description); trying again")
      try await Task.sleep(for: .seconds(pause * Double.random(in: 0.5...1)))
      pause = min(pause * 2, Self.longestPause)
    }
  }

  /// One connection, from the position on.
  private func follow() async throws {
    try await Connection.with(options) { connection in
      // Calls with a deadline: a subscription has none, and does not tell an unknown run.
      if let run = self.request.runIds.first {
        _ = try await connection.query.getRun(.with { $0.runID = run }, options: connection.unary)
      } else {
        _ = try await connection.query.getServerInfo(.init(), options: connection.unary)
      }
      try await connection.checkRules(self.request.rules)
      var request = self.request
      if let cursor = self.position.withLock({ $0.cursor }) { request.cursor = cursor }
      try await connection.alerts.subscribeAlerts(
        request,
        options: connection.unbounded
      ) { response in
        for try await message in response.messages { try self.take(message, from: connection) }
      }
    }
  }

  private func take(
    _ message: Gradwatch_V1_SubscribeAlertsResponse,
    from connection: Connection
  ) throws {
    let (isNew, becameLive) = position.withLock { position in
      position.isConnected = true
      switch message.event {
      case .openAlert(let alert): return (position.written.insert(alert.alertID).inserted, false)
      case .transition(let transition): position.cursor = transition.cursor
      case .caughtUp(let point):
        position.cursor = point.cursor
        position.written = []
        defer { position.wasLive = true }
        return (true, !position.wasLive)
      case nil: break
      }
      return (true, false)
    }
    guard isNew else { return }
    if output.format != .table {
      try output.write(line: message)
    } else if becameLive {
      Diagnostics.write("watching \(connection.address); Ctrl-C ends")
    } else {
      switch message.event {
      case .openAlert(let alert):
        try output.write(TransitionText.rendered(open: alert, on: output.terminal))
      case .transition(let transition):
        try output.write(TransitionText.rendered(transition, on: output.terminal))
      case .caughtUp, nil: break
      }
    }
  }
}
