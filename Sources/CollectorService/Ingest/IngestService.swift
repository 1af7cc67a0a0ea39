import GRPCCore
import GRPCProtobuf
import Telemetry
import TelemetryWire

/// `gradwatch.v1.IngestService` as a server registers it: the adapter, with decoders of its own for the methods that carry telemetry.
struct IngestService: RegistrableRPCService {
  let adapter: IngestAdapter

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    adapter.registerMethods(with: &router)
    router.registerHandler(
      forMethod: Gradwatch_V1_IngestService.Method.StreamTelemetry.descriptor,
      deserializer: RequestDeserializer(),
      serializer: ProtobufSerializer<Gradwatch_V1_StreamTelemetryResponse>()
    ) { request, context in
      try await adapter.streamTelemetry(request: request, context: context)
    }
    router.registerHandler(
      forMethod: Gradwatch_V1_IngestService.Method.ReportSteps.descriptor,
      deserializer: ReportStepsDeserializer(),
      serializer: ProtobufSerializer<Gradwatch_V1_ReportStepsResponse>()
    ) { request, context in
      try await adapter.reportSteps(request: request, context: context)
    }
  }

  /// The most reports of one unary call: so many small ones take 80 MB when they are decoded.
  private static let mostReports = 1 << 17

  private struct ReportStepsDeserializer: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(
      _ bytes: Bytes
    ) throws -> Gradwatch_V1_ReportStepsRequest {
      let count = bytes.withUnsafeBytes { Gradwatch_V1_ReportStepsRequest.reportCount(in: $0) }
      guard count <= mostReports else {
        throw Failure.status(
          of: TelemetryError.outOfRange(
            field: "reports",
            expected: "at most \(mostReports)",
            found: "\(count)"
          )
        )
      }
      return try ProtobufDeserializer().deserialize(bytes)
    }
  }

  private struct RequestDeserializer: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(
      _ bytes: Bytes
    ) throws -> Gradwatch_V1_StreamTelemetryRequest {
      try bytes.withUnsafeBytes(Gradwatch_V1_StreamTelemetryRequest.init(cuttingCountsOutOf:))
        ?? ProtobufDeserializer().deserialize(bytes)
    }
  }
}
