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
      try await AlertSubscription(collector: collector, request: request).serve(response)
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
}
