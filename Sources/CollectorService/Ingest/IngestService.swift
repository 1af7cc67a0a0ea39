import GRPCCore
import GRPCProtobuf
import TelemetryWire

/// `gradwatch.v1.IngestService` as a server registers it: the adapter, with a faster decoder for the method that carries telemetry.
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
