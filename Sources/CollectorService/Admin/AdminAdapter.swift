import GRPCCore
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// `gradwatch.v1.AdminService`: the wire's side of deleting, keeping and looking after a collector.
struct AdminAdapter: Gradwatch_V1_AdminService.SimpleServiceProtocol {
  let collector: Collector

  func deleteRun(
    request: Gradwatch_V1_DeleteRunRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_DeleteRunResponse {
    try await Failure.mapped {
      let run = try RunID(request.runID)
      let deleted = try await collector.removal.delete(run, force: request.force)
      return .with { $0.run = Gradwatch_V1_Run(deleted) }
    }
  }

  func setRetention(
    request: Gradwatch_V1_SetRetentionRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_SetRetentionResponse {
    try await Failure.mapped {
      let project = try Self.project(request.project)
      let retention = request.hasRetention ? try Retention(wire: request.retention) : nil
      try await collector.blocking.run { [store = collector.store] in
        try store.setRetention(retention, of: project)
      }
      let pruned = try await context.cancelling { [removal = collector.removal] in
        try await removal.prune(project: project, retention: nil, dryRun: false)
      }
      return .with { $0.pruned = pruned.map(Gradwatch_V1_PrunedRun.init) }
    }
  }

  func listRetention(
    request: Gradwatch_V1_ListRetentionRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ListRetentionResponse {
    try await Failure.mapped {
      let settings = try await collector.blocking.run { [store = collector.store] in
        try store.retention()
      }
      return .with { response in
        if let standard = settings.standard { response.standard = .init(standard) }
        response.projects = settings.entries.map { entry in
          .with { ($0.project, $0.retention) = (entry.project, .init(entry.retention)) }
        }
      }
    }
  }

  func pruneRuns(
    request: Gradwatch_V1_PruneRunsRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_PruneRunsResponse {
    try await Failure.mapped {
      let project = try Self.project(request.project)
      let retention = request.hasRetention ? try Retention(wire: request.retention) : nil
      let pruned = try await context.cancelling { [removal = collector.removal] in
        try await removal.prune(project: project, retention: retention, dryRun: request.dryRun)
      }
      return .with { $0.pruned = pruned.map(Gradwatch_V1_PrunedRun.init) }
    }
  }

  func checkpoint(
    request: Gradwatch_V1_CheckpointRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_CheckpointResponse {
    try await Failure.mapped {
      let statistics = try await collector.blocking.run { [store = collector.store] in
        try store.checkpoint()
        return try store.statistics()
      }
      return .with { $0.size = .init(statistics) }
    }
  }

  func getStats(
    request: Gradwatch_V1_GetStatsRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_GetStatsResponse {
    try await Failure.mapped {
      let store = try await collector.blocking.run { [store = collector.store] in
        try store.statistics()
      }
      let liveProducers = await collector.producers.count
      return .with {
        $0.startedAt = .init(collector.startedAt)
        $0.uptimeSeconds = collector.uptime() / .seconds(1)
        if let bytes = ResidentMemory.bytes { $0.residentBytes = bytes }
        $0.size = .init(store)
        $0.runs = store.runs
        $0.unsealedReports = store.unsealedReports
        $0.deletionsInProgress = store.deletionsInProgress
        $0.liveProducers = UInt32(clamping: liveProducers)
        $0.maximumLiveProducers = UInt32(clamping: collector.options.maximumLiveProducers)
        $0.pendingBytes = UInt64(clamping: collector.committer.pendingBytes)
        $0.maximumPendingBytes = UInt64(clamping: collector.options.maximumPendingBytes)
        $0.streams = UInt32(clamping: collector.activity.streams.value)
        $0.subscribers = UInt32(clamping: collector.activity.subscribers.value)
        $0.reports = .init(collector.activity.reports)
      }
    }
  }

  /// The project that a request names; `nil` if none.
  private static func project(_ name: String) throws(TelemetryError) -> String? {
    guard !name.isEmpty else { return nil }
    try Name.check(name, field: "project")
    return name
  }
}
