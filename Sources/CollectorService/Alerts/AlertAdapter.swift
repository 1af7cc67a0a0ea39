import Foundation
import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// `gradwatch.v1.AlertService`: the wire's side of hearing of alerts and acknowledging them.
struct AlertAdapter: Gradwatch_V1_AlertService.SimpleServiceProtocol {
  let collector: Collector

  func subscribeAlerts(
    request: Gradwatch_V1_SubscribeAlertsRequest,
    response: RPCWriter<Gradwatch_V1_SubscribeAlertsResponse>,
    context: ServerContext
  ) async throws {
    try await Failure.mapped {
      let subscription = try AlertSubscription(collector: collector, request: request)
      try await withTaskExecutorPreference(collector.subscribing) {
        try await collector.activity.subscribers.counting { try await subscription.serve(response) }
      }
    }
  }

  func acknowledgeAlert(
    request: Gradwatch_V1_AcknowledgeAlertRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_AcknowledgeAlertResponse {
    try await Failure.mapped {
      try Name.check(request.alertID, field: "alert_id")
      try Name.check(request.acknowledgedBy, field: "acknowledged_by")
      let id = AlertID(request.alertID)
      let store = collector.store
      guard let stored = try await collector.blocking.run({ try store.alert(id) }) else {
        throw Failure.unknownAlert(id).status
      }
      if stored.state == .acknowledged { return .with { $0.alert = .init(stored) } }
      let producer = try await collector.producers.producer(stored.producer, of: stored.run)
      guard
        let alert = try producer.acknowledge(
          id,
          by: request.acknowledgedBy,
          at: collector.now()
        )
      else { throw Failure.notFiring(id, stored.state).status }
      await collector.committer.flush()
      try producer.checkIsStored()
      return .with { $0.alert = .init(alert) }
    }
  }

  func listRules(
    request: Gradwatch_V1_ListRulesRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ListRulesResponse {
    try await Failure.mapped { try await RulesAnswer(collector: collector).list(request) }
  }

  func setRules(
    request: Gradwatch_V1_SetRulesRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_SetRulesResponse {
    try await Failure.mapped { try await RulesAnswer(collector: collector).set(request) }
  }

  func testRules(
    request: Gradwatch_V1_TestRulesRequest,
    response: RPCWriter<Gradwatch_V1_TestRulesResponse>,
    context: ServerContext
  ) async throws {
    try await Failure.mapped {
      let test = RuleTest(collector: collector, request: request)
      try await context.cancelling { try await test.write(to: response) }
    }
  }

  func silenceAlerts(
    request: Gradwatch_V1_SilenceAlertsRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_SilenceAlertsResponse {
    try await Failure.mapped {
      let now = collector.now()
      let silence = try Silence(
        wire: request.silence,
        id: UUID().uuidString.lowercased(),
        at: now
      )
      try await collector.blocking.run { [silences = collector.silences] in
        try silences.add(silence, at: now)
      }
      return .with { $0.silence = .init(silence) }
    }
  }

  func listSilences(
    request: Gradwatch_V1_ListSilencesRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ListSilencesResponse {
    let silences = collector.silences.all(at: collector.now())
    return .with { $0.silences = silences.map(Gradwatch_V1_Silence.init) }
  }

  func removeSilence(
    request: Gradwatch_V1_RemoveSilenceRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_RemoveSilenceResponse {
    try await Failure.mapped {
      try Name.check(request.silenceID, field: "silence_id")
      let now = collector.now()
      let isRemoved = try await collector.blocking.run { [silences = collector.silences] in
        try silences.remove(request.silenceID, at: now)
      }
      guard isRemoved else { throw Failure.unknownSilence(request.silenceID).status }
      return .init()
    }
  }
}
