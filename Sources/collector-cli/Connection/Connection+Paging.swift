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
    let found = try await entries(limit: limit) { size, token in
      var request = request
      (request.pageSize, request.pageToken) = (size, token)
      let page = try await query.listRuns(request, options: unary)
      return (page.runs, page.nextPageToken)
    }
    return (found.entries, found.hasMore)
  }

  /// Alerts, the newest first; up to `limit` of them, and whether there are more.
  func alerts(
    _ request: Gradwatch_V1_ListAlertsRequest,
    limit: Int
  ) async throws -> (alerts: [Gradwatch_V1_Alert], hasMore: Bool) {
    let found = try await entries(limit: limit) { size, token in
      var request = request
      (request.pageSize, request.pageToken) = (size, token)
      let page = try await query.listAlerts(request, options: unary)
      return (page.alerts, page.nextPageToken)
    }
    return (found.entries, found.hasMore)
  }

  /// What was done about a run, the newest first; up to `limit`, and whether there is more.
  func annotations(
    _ request: Gradwatch_V1_ListAnnotationsRequest,
    limit: Int
  ) async throws -> (annotations: [Gradwatch_V1_AnnotationEntry], hasMore: Bool) {
    let found = try await entries(limit: limit) { size, token in
      var request = request
      (request.pageSize, request.pageToken) = (size, token)
      let page = try await query.listAnnotations(request, options: unary)
      return (page.annotations, page.nextPageToken)
    }
    return (found.entries, found.hasMore)
  }

  /// Asks for page after page; up to `limit` entries, and whether there are more.
  private func entries<Entry>(
    limit: Int,
    page: (_ size: UInt32, _ token: String) async throws -> (entries: [Entry], next: String)
  ) async throws -> (entries: [Entry], hasMore: Bool) {
    var entries: [Entry] = []
    var token = ""
    repeat {
      let found = try await page(UInt32(min(limit - entries.count, Self.pageSize)), token)
      entries += found.entries
      token = found.next
    } while !token.isEmpty && entries.count < limit
    return (entries, !token.isEmpty)
  }
}
