import Detection
import GRPCCore
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// Replays a run's recorded reports against rules, and holds what they raise against what was raised.
///
/// Memory: one page of reports, and the alerts, of which there are at most ``maximumAlerts``.
struct RuleTest {
  /// The most alerts that a test may raise.
  static let maximumAlerts = 10_000
  /// What no producer's reports raise by themselves: a clock does, or those of all ranks together.
  private static let rulesNotReplayed: Set<RuleID> = [RuleID("stalled_run"), RankComparison.rule]

  let collector: Collector
  let request: Gradwatch_V1_TestRulesRequest

  /// Replays, then writes the answer.
  func write(to writer: RPCWriter<Gradwatch_V1_TestRulesResponse>) async throws {
    let id = try RunID(request.runID)
    let producer = request.producerID.isEmpty ? nil : try ProducerID(request.producerID)
    let tried = request.hasRules ? try RuleSet(wire: request.rules) : nil
    if let tried { try Detector.check(tried) }
    let (alerts, run) = try await collector.ruleTests.hold {
      try await replay(id, producer, tried)
    }
    for alert in alerts { try await writer.write(.with { $0.alert = alert }) }
    try await writer.write(.with { $0.run = run })
  }

  private func replay(
    _ id: RunID,
    _ chosen: ProducerID?,
    _ tried: RuleSet?
  ) async throws -> ([Gradwatch_V1_TestedAlert], Gradwatch_V1_TestedRun) {
    let store = collector.store
    let (record, model, rules) = try await collector.blocking.run {
      guard let record = try store.run(id), let model = try store.model(of: id) else {
        throw RunStoreError.unknownRun(id)
      }
      guard let tried else { return (record, model, try store.rulesInForce(for: id).rules) }
      let below = try store.rules(of: .project(record.project))?.rules ?? RuleSet()
      return (record, model, below.overlaid(by: tried))
    }
    let producers = record.producers.map(\.producer.id).filter { chosen == nil || $0 == chosen }
    if let chosen, producers.isEmpty { throw RunStoreError.unknownProducer(id, chosen) }
    var raised: [AlertID: Alert] = [:]
    var totals = Gradwatch_V1_TestedRun()
    for producer in producers {
      var detector = Detector(run: id, producer: producer, model: model, rules: rules)
      var next: UInt64? = 0
      while let step = next {
        try Task.checkCancellation()
        let page = try await collector.blocking.run {
          try store.reports(of: id, producer: producer, from: step)
        }
        for logged in page {
          var transitions =
            logged.rewinds
            ? detector.rewind(to: logged.report.step, at: logged.receivedAt) : []
          transitions += detector.observe(logged.report, receivedAt: logged.receivedAt)
          totals.transitions += UInt64(transitions.count)
          // The last transition leaves the alert as it ends.
          for transition in transitions where transition.alert.firedStep != nil {
            raised[transition.alert.id] = transition.alert
          }
        }
        guard raised.count <= Self.maximumAlerts else {
          throw Failure.tooManyAlerts(limit: Self.maximumAlerts).status
        }
        totals.reports += UInt64(page.count)
        next = page.last.flatMap { $0.report.step < Step.maximum ? $0.report.step + 1 : nil }
      }
    }
    let recorded = try await recordedAlerts(of: id, Set(producers))
    return (Self.compare(raised, recorded), totals)
  }

  /// What fired while the run was recorded; bounded like what is replayed.
  private func recordedAlerts(
    of run: RunID,
    _ producers: Set<ProducerID>
  ) async throws -> [AlertID: Alert] {
    var recorded: [AlertID: Alert] = [:]
    var page = PageRequest(size: CollectorOptions.maximumPageSize)
    while recorded.count <= Self.maximumAlerts {
      let wanted = page
      let alerts = try await collector.blocking.run { [store = collector.store] in
        try store.alerts(AlertFilter(run: run), page: wanted)
      }
      for alert in alerts.items
      where alert.firedStep != nil && !alert.wasRewound && producers.contains(alert.producer)
        && !Self.rulesNotReplayed.contains(alert.rule)
      {
        recorded[alert.id] = alert
      }
      guard let next = alerts.next else { return recorded }
      page.after = next
    }
    throw Failure.tooManyAlerts(limit: Self.maximumAlerts).status
  }

  private static func compare(
    _ raised: [AlertID: Alert],
    _ recorded: [AlertID: Alert]
  ) -> [Gradwatch_V1_TestedAlert] {
    let pairs = Set(raised.keys).union(recorded.keys).compactMap { id in
      (raised[id] ?? recorded[id]).map { ($0, raised[id], recorded[id]) }
    }
    let ordered = pairs.sorted { first, second in
      let (left, right) = (first.0, second.0)
      return (left.firedStep ?? 0, left.rule, left.id) < (
        right.firedStep ?? 0, right.rule, right.id
      )
    }
    return ordered.map { alert, new, old in
      .with {
        $0.alert = Gradwatch_V1_Alert(alert)
        if let old { $0.recorded = Gradwatch_V1_Alert(old) }
        switch (new, old) {
        case (let new?, let old?):
          let isSame = new.severity == old.severity && new.firedStep == old.firedStep
          $0.comparison = isSame ? .same : .changed
        case (_?, nil): $0.comparison = .added
        case (nil, _): $0.comparison = .removed
        }
      }
    }
  }
}
