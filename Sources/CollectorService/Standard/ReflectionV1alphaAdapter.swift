import GRPCCore
import SwiftProtobuf
import TelemetryWire

/// `grpc.reflection.v1alpha.ServerReflection`, which `buf curl` and grpcurl of older versions, and
/// Python's grpcio-reflection, ask.
struct ReflectionV1alphaAdapter: Grpc_Reflection_V1alpha_ServerReflection.SimpleServiceProtocol {
  func serverReflectionInfo(
    request: RPCAsyncSequence<Grpc_Reflection_V1alpha_ServerReflectionRequest, any Error>,
    response: RPCWriter<Grpc_Reflection_V1alpha_ServerReflectionResponse>,
    context: ServerContext
  ) async throws {
    for try await question in request {
      var answer = Grpc_Reflection_V1alpha_ServerReflectionResponse()
      answer.validHost = question.host
      answer.originalRequest = question
      switch ReflectionAnswer(question.messageRequest.map(ReflectionQuestion.init)) {
      case .services(let names):
        answer.listServicesResponse.service = names.map { name in .with { $0.name = name } }
      case .files(let files): answer.fileDescriptorResponse.fileDescriptorProto = files
      case .error(let code, let message):
        answer.errorResponse.errorCode = code
        answer.errorResponse.errorMessage = message
      }
      try await response.write(answer)
    }
  }
}

extension ReflectionQuestion {
  fileprivate init(
    _ request: Grpc_Reflection_V1alpha_ServerReflectionRequest.OneOf_MessageRequest
  ) {
    switch request {
    case .fileByFilename(let name): self = .file(name)
    case .fileContainingSymbol(let name): self = .symbol(name)
    case .listServices: self = .services
    case .fileContainingExtension, .allExtensionNumbersOfType: self = .extensions
    }
  }
}
