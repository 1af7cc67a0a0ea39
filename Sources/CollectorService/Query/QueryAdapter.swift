import Detection
import Foundation
import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// `gradwatch.v1.QueryService`: the wire's side of reading runs back.
struct QueryAdapter: Gradwatch_V1_QueryService.SimpleServiceProtocol {
  let collector: Collector

  func listRuns(
    request: Gradwatch_V1_ListRunsRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ListRunsResponse {
    try await Failure.mapped {
      let filter = RunFilter(
        project: request.project.isEmpty ? nil : request.project,
        status: try request.status.wanted(RunStatus.init(wire:), field: "status"),
        createdSince: request.hasCreatedSince ? WallTime(wire: request.createdSince) : nil
      )
      let page = try PageRequest(size: request.pageSize, token: request.pageToken)
      let runs = try await collector.blocking.run { [store = collector.store] in
        try store.runs(filter, page: page)
      }
      return .with {
        $0.runs = runs.items.map(Gradwatch_V1_Run.init)
        $0.nextPageToken = runs.next.map(String.init) ?? ""
      }
    }
  }

  func getRun(
    request: Gradwatch_V1_GetRunRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_GetRunResponse {
    try await Failure.mapped {
      let id = try RunID(request.runID)
      let run = try await collector.blocking.run { [store = collector.store] in
        guard let run = try store.run(id) else { throw RunStoreError.unknownRun(id) }
        return run
      }
      return .with { $0.run = Gradwatch_V1_Run(run) }
    }
  }

  func listLayers(
    request: Gradwatch_V1_ListLayersRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ListLayersResponse {
    try await Failure.mapped {
      let id = try RunID(request.runID)
      let selector = try TensorSelector(wire: request.selector)
      let page = try PageRequest(size: request.pageSize, token: request.pageToken)
      let model = try await collector.blocking.run { [store = collector.store] in
        guard let model = try store.model(of: id) else { throw RunStoreError.unknownRun(id) }
        return model
      }
      let layers = selector.layers(in: model).filter { Int64($0) > page.after ?? -1 }
      let tensors = Dictionary(grouping: selector.tensors(in: model)) {
        model.tensors[Int($0)].layer
      }
      return .with { response in
        response.layers = layers.prefix(page.size).map { layer in
          .with { entry in
            entry.layerID = layer
            entry.layer = Gradwatch_V1_Layer(model.layers[Int(layer)])
            entry.tensors = (tensors[layer] ?? []).map { tensor in
              .with {
                $0.tensorID = tensor
                $0.tensor = Gradwatch_V1_Tensor(model.tensors[Int(tensor)])
              }
            }
          }
        }
        if layers.count > page.size {
          response.nextPageToken = String(layers[page.size - 1])
        }
      }
    }
  }

  func getLayerTimeline(
    request: Gradwatch_V1_GetLayerTimelineRequest,
    response: RPCWriter<Gradwatch_V1_GetLayerTimelineResponse>,
    context: ServerContext
  ) async throws {
    try await Failure.mapped {
      let answer = try TimelineAnswer(collector: collector, request: request)
      try await context.cancelling { try await answer.write(to: response) }
    }
  }

  func getHeatmap(
    request: Gradwatch_V1_GetHeatmapRequest,
    response: RPCWriter<Gradwatch_V1_GetHeatmapResponse>,
    context: ServerContext
  ) async throws {
    try await Failure.mapped {
      let answer = try HeatmapAnswer(collector: collector, request: request)
      try await context.cancelling { try await answer.write(to: response) }
    }
  }

  func getHistograms(
    request: Gradwatch_V1_GetHistogramsRequest,
    response: RPCWriter<Gradwatch_V1_GetHistogramsResponse>,
    context: ServerContext
  ) async throws {
    try await Failure.mapped {
      let answer = try HistogramAnswer(collector: collector, request: request)
      try await context.cancelling { try await answer.write(to: response) }
    }
  }

  func getLossTimeline(
    request: Gradwatch_V1_GetLossTimelineRequest,
    response: RPCWriter<Gradwatch_V1_GetLossTimelineResponse>,
    context: ServerContext
  ) async throws {
    try await Failure.mapped {
      let answer = try LossAnswer(collector: collector, request: request)
      try await context.cancelling { try await answer.write(to: response) }
    }
  }

  func listAlerts(
    request: Gradwatch_V1_ListAlertsRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ListAlertsResponse {
    try await Failure.mapped {
      let filter = AlertFilter(
        run: request.runID.isEmpty ? nil : try RunID(request.runID),
        project: request.project.isEmpty ? nil : request.project,
        rules: Set(try Set(wanted: request.rules, field: "rules").map(RuleID.init)),
        minimumSeverity: try request.minimumSeverity.wanted(
          Severity.init(wire:),
          field: "minimum_severity"
        ),
        states: Set(
          try request.states.compactMap { try $0.wanted(AlertState.init(wire:), field: "states") }
        )
      )
      let page = try PageRequest(size: request.pageSize, token: request.pageToken)
      let alerts = try await collector.blocking.run { [store = collector.store] in
        if let run = filter.run, try store.run(run) == nil { throw RunStoreError.unknownRun(run) }
        return try store.alerts(filter, page: page)
      }
      let marked = try await collector.marked(alerts.items)
      return .with {
        $0.alerts = marked
        $0.nextPageToken = alerts.next.map(String.init) ?? ""
      }
    }
  }

  func listAnnotations(
    request: Gradwatch_V1_ListAnnotationsRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ListAnnotationsResponse {
    try await Failure.mapped {
      let filter = AnnotationFilter(
        run: try RunID(request.runID),
        producer: request.producerID.isEmpty ? nil : try ProducerID(request.producerID),
        steps: try request.steps.range()
      )
      let page = try PageRequest(size: request.pageSize, token: request.pageToken)
      let annotations = try await collector.blocking.run { [store = collector.store] in
        try store.annotations(filter, page: page)
      }
      return .with {
        $0.annotations = annotations.items.map(Gradwatch_V1_AnnotationEntry.init)
        $0.nextPageToken = annotations.next.map(String.init) ?? ""
      }
    }
  }

  func diagnoseRun(
    request: Gradwatch_V1_DiagnoseRunRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_DiagnoseRunResponse {
    try await Failure.mapped {
      let id = try RunID(request.runID)
      let diagnosis = try await collector.blocking.run { [store = collector.store] in
        let rules = Detector.catalogue.map(\.id)
        return Diagnosis(of: try CaseHistory(run: id, rules: rules, store: store))
      }
      return .with { $0.diagnosis = Gradwatch_V1_Diagnosis(diagnosis) }
    }
  }

  func compareRuns(
    request: Gradwatch_V1_CompareRunsRequest,
    response: RPCWriter<Gradwatch_V1_CompareRunsResponse>,
    context: ServerContext
  ) async throws {
    try await Failure.mapped {
      let answer = try ComparisonAnswer(collector: collector, request: request)
      try await context.cancelling { try await answer.write(to: response) }
    }
  }

  func getServerInfo(
    request: Gradwatch_V1_GetServerInfoRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_GetServerInfoResponse {
    let options = collector.options
    return .with {
      $0.version = CollectorOptions.version
      $0.serverTime = .init(collector.now())
      $0.rules = Detector.catalogue.map(\.id.rawValue)
      $0.limits.maximumMessageBytes = UInt64(options.maximumMessageBytes)
      $0.limits.streamCredits = UInt32(options.streamCredits)
      $0.limits.maximumPageSize = UInt32(CollectorOptions.maximumPageSize)
      $0.limits.maximumNameBytes = UInt32(Name.maximumBytes)
      $0.limits.maximumModelEntries = UInt32(Model.maximumCount)
      $0.limits.minimumKeepaliveSeconds = UInt32(options.minimumKeepaliveSeconds)
      $0.limits.compression = CollectorOptions.compression
    }
  }
}
