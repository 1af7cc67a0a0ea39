import GRPCCore
import SwiftProtobuf
import TelemetryWire

/// `grpc.health.v1.Health`, for the collector as a whole (the empty name) and for each of its services.
struct HealthAdapter: Grpc_Health_V1_Health.SimpleServiceProtocol {
  let state: HealthState

  private static let names: Set<String> = [
    "", "gradwatch.v1.IngestService", "gradwatch.v1.QueryService", "gradwatch.v1.AlertService",
    "gradwatch.v1.AdminService",
  ]

  func check(
    request: Grpc_Health_V1_HealthCheckRequest,
    context: ServerContext
  ) async throws -> Grpc_Health_V1_HealthCheckResponse {
    guard Self.names.contains(request.service) else {
      throw RPCError(code: .notFound, message: "health: no such service")
    }
    return .with { $0.status = status(of: request.service) }
  }

  func watch(
    request: Grpc_Health_V1_HealthCheckRequest,
    response: RPCWriter<Grpc_Health_V1_HealthCheckResponse>,
    context: ServerContext
  ) async throws {
    try await state.watching { changed in
      try await withRPCCancellationHandler {
        // One message now, and one more if it ever changes, which it does once.
        let first = status(of: request.service)
        try await response.write(.with { $0.status = first })
        await changed.wait()
        let second = status(of: request.service)
        if second != first { try await response.write(.with { $0.status = second }) }
      } onCancelRPC: {
        changed.raise()
      }
    }
  }

  private func status(of service: String) -> Grpc_Health_V1_HealthCheckResponse.ServingStatus {
    guard Self.names.contains(service) else { return .serviceUnknown }
    return state.isServing ? .serving : .notServing
  }
}
