import GRPCCore
import SwiftProtobuf
import TelemetryWire

extension Connection {
  /// The most entries that any collector gives in a page.
  static let pageSize = 1000

  /// All layers of a run that match, in forward order.
  func layers(
    of run: String,
    matching selector: Gradwatch_V1_Selector = .init()
  ) async throws -> [Gradwatch_V1_LayerEntry] {
    var request = Gradwatch_V1_ListLayersRequest()
    request.runID = run
    if selector != .init() { request.selector = selector }
    request.pageSize = UInt32(Self.pageSize)
    var layers: [Gradwatch_V1_LayerEntry] = []
    repeat {
      let page = try await query.listLayers(request, options: unary)
      layers += page.layers
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return layers
  }

  /// Runs, the newest first; up to `limit` of them, and whether there are more.
  func runs(
    _ request: Gradwatch_V1_ListRunsRequest,
    limit: Int
  ) async throws -> (runs: [Gradwatch_V1_Run], hasMore: Bool) {
    var request = request
    var runs: [Gradwatch_V1_Run] = []
    repeat {
      request.pageSize = UInt32(min(limit - runs.count, Self.pageSize))
      let page = try await query.listRuns(request, options: unary)
      runs += page.runs
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty && runs.count < limit
    return (runs, !request.pageToken.isEmpty)
  }

  /// Alerts, the newest first; up to `limit` of them, and whether there are more.
  func alerts(
    _ request: Gradwatch_V1_ListAlertsRequest,
    limit: Int
  ) async throws -> (alerts: [Gradwatch_V1_Alert], hasMore: Bool) {
    var request = request
    var alerts: [Gradwatch_V1_Alert] = []
    repeat {
      request.pageSize = UInt32(min(limit - alerts.count, Self.pageSize))
      let page = try await query.listAlerts(request, options: unary)
      alerts += page.alerts
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty && alerts.count < limit
    return (alerts, !request.pageToken.isEmpty)
  }

  /// What was done about a run, the newest first; up to `limit`, and whether there is more.
  func annotations(
    _ request: Gradwatch_V1_ListAnnotationsRequest,
    limit: Int
  ) async throws -> (annotations: [Gradwatch_V1_AnnotationEntry], hasMore: Bool) {
    var request = request
    var annotations: [Gradwatch_V1_AnnotationEntry] = []
    repeat {
      request.pageSize = UInt32(min(limit - annotations.count, Self.pageSize))
      let page = try await query.listAnnotations(request, options: unary)
      annotations += page.annotations
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty && annotations.count < limit
    return (annotations, !request.pageToken.isEmpty)
  }
}
