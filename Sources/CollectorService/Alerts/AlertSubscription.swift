import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Synchronization
import Telemetry
import TelemetryWire

/// One subscriber: a cursor and a filter over the feed that all share.
final class AlertSubscription: Sendable {
  private let collector: Collector
  private let request: Gradwatch_V1_SubscribeAlertsRequest
  private let runs: Set<String>
  private let projects: Set<String>
  private let rules: Set<String>
  private let minimumSeverity: Severity
  /// Where it goes on; `nil`: it begins with what is open now.
  private let start: AlertCursor?
  private let wake = Signal()
  private let isEnding = Mutex(false)

  init(
    collector: Collector,
    request: Gradwatch_V1_SubscribeAlertsRequest
  ) throws(TelemetryError) {
    self.collector = collector
    self.request = request
    runs = try Set(wanted: request.runIds, field: "run_ids")
    projects = try Set(wanted: request.projects, field: "projects")
    rules = try Set(wanted: request.rules, field: "rules")
    minimumSeverity =
      try request.minimumSeverity.wanted(Severity.init(wire:), field: "minimum_severity") ?? .info
    start = request.hasCursor ? try AlertCursor(wire: request.cursor, field: "cursor") : nil
  }

  /// Serves the subscription until the client goes, falls behind, or the collector shuts down.
  func serve(_ writer: RPCWriter<Gradwatch_V1_SubscribeAlertsResponse>) async throws {
    let listener = collector.feed.listen { [wake] in wake.raise() }
    defer { collector.feed.end(listener) }
    try await withRPCCancellationHandler {
      var cursor = try await catchUp(writer)
      try await writer.write(.with { $0.caughtUp.cursor = cursor.rawValue })
      while !isEnding.withLock({ $0 }) {
        try Task.checkCancellation()
        switch collector.feed.read(after: cursor, limit: 128) {
        case .behind: throw Failure.slowSubscriber(cursor).status
        case .transitions(let transitions):
          try await write(transitions, to: writer)
          if let last = transitions.last {
            cursor = last.cursor
          } else {
            await wake.wait()
          }
        }
      }
      throw Failure.shuttingDown.status
    } onCancelRPC: {
      self.isEnding.withLock { $0 = true }
      self.wake.raise()
    }
  }

  /// Sends what the subscriber has to know before it is live; returns the cursor from which it is.
  private func catchUp(
    _ writer: RPCWriter<Gradwatch_V1_SubscribeAlertsResponse>
  ) async throws -> AlertCursor {
    guard let start else {
      // The cursor is taken first: what opens in between is sent twice rather than never.
      let cursor = collector.feed.last
      try await writeOpenAlerts(to: writer)
      return cursor
    }
    var cursor = try await collector.resumable(start)
    while true {
      // Of what the subscriber does not want, nothing is written that could fail.
      guard !isEnding.withLock({ $0 }) else { throw Failure.shuttingDown.status }
      try Task.checkCancellation()
      let (page, next) = try await collector.transitions(after: cursor)
      guard !page.isEmpty else { return next }
      try await write(page, to: writer)
      cursor = next
    }
  }

  private func writeOpenAlerts(
    to writer: RPCWriter<Gradwatch_V1_SubscribeAlertsResponse>
  ) async throws {
    for place in try await places() {
      let filter = AlertFilter(
        run: place.run,
        project: place.project,
        rules: Set(rules.map(RuleID.init)),
        minimumSeverity: minimumSeverity,
        states: request.includePending
          ? [.pending, .firing, .acknowledged] : [.firing, .acknowledged]
      )
      var page = PageRequest(size: CollectorOptions.maximumPageSize)
      while true {
        guard !isEnding.withLock({ $0 }) else { throw Failure.shuttingDown.status }
        let wanted = page
        let alerts = try await collector.blocking.run { [collector] in
          do throws(RunStoreError) {
            return try collector.alerts(filter, page: wanted)
          } catch .unknownRun {
            // Deleted meanwhile.
            return Page(items: [], next: nil)
          }
        }
        for alert in try await collector.marked(alerts.items) where isHeard(alert) {
          try await writer.write(.with { $0.openAlert = alert })
        }
        guard let next = alerts.next else { break }
        page.after = next
      }
    }
  }

  /// Where the store is to look for alerts, and nowhere else: in the runs, or in the projects if none is named.
  private func places() async throws -> [(run: RunID?, project: String?)] {
    guard !runs.isEmpty else {
      return projects.isEmpty ? [(nil, nil)] : projects.sorted().map { (nil, $0) }
    }
    return try await collector.blocking.run { [store = collector.store, runs, projects] in
      try runs.sorted().compactMap { id in
        // Without a record it is yet to come, or was deleted.
        guard let record = try store.run(RunID(stored: id)),
          projects.isEmpty || projects.contains(record.project)
        else { return nil }
        return (record.run, nil)
      }
    }
  }

  private func write(
    _ transitions: [StoredTransition],
    to writer: RPCWriter<Gradwatch_V1_SubscribeAlertsResponse>
  ) async throws {
    let now = collector.now()
    for stored in transitions where wants(stored) {
      let alert = stored.transition.alert
      var transition = Gradwatch_V1_AlertTransition(
        stored.transition,
        cursor: stored.cursor.rawValue
      )
      transition.alert.silencedBy = collector.silences.covering(
        alert,
        of: stored.project,
        at: now
      )
      guard isHeard(transition.alert) else { continue }
      try await writer.write(.with { $0.transition = transition })
    }
  }

  /// Whether no silence keeps an alert from this subscriber.
  private func isHeard(_ alert: Gradwatch_V1_Alert) -> Bool {
    alert.silencedBy.isEmpty || request.includeSilenced
  }

  private func wants(_ stored: StoredTransition) -> Bool {
    let alert = stored.transition.alert
    return (runs.isEmpty || runs.contains(alert.run.rawValue))
      && (projects.isEmpty || projects.contains(stored.project))
      && (rules.isEmpty || rules.contains(alert.rule.rawValue))
      && alert.severity >= minimumSeverity
      // A pending alert that passes is resolved without ever having fired.
      && (request.includePending || alert.firedStep != nil)
  }
}
