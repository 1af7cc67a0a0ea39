import Foundation
import GRPCCore

/// What a client asks of reflection, in either version of the protocol.
enum ReflectionQuestion: Sendable {
  /// The file of this name.
  case file(String)
  /// The file that declares this symbol.
  case symbol(String)
  /// All services.
  case services
  /// Extensions, of which proto3 has none.
  case extensions
}

/// What reflection answers, in either version of the protocol.
enum ReflectionAnswer: Sendable {
  /// The full names of all services.
  case services([String])
  /// Serialized file descriptors, the one asked for first.
  case files([Data])
  /// A status code and what is missing.
  case error(Int32, String)

  /// Answers a question; `nil` is one of a kind that this version does not know.
  init(_ question: ReflectionQuestion?) {
    let index = ReflectionIndex.embedded
    let files: [Data]?
    switch question {
    case .services:
      self = .services(index.services)
      return
    case .file(let name): files = index.closure(ofFile: name)
    case .symbol(let name): files = index.closure(ofSymbol: name)
    case .extensions: files = nil
    case nil:
      self = .error(
        Int32(RPCError.Code.invalidArgument.rawValue),
        "reflection: expected a known question"
      )
      return
    }
    self =
      files.map(ReflectionAnswer.files)
      ?? .error(Int32(RPCError.Code.notFound.rawValue), "reflection: no such file or symbol")
  }
}

/// The services of both versions of the protocol.
enum ReflectionAdapter {
  /// To register with a server.
  static let services: [any RegistrableRPCService] = [
    ReflectionV1Adapter(), ReflectionV1alphaAdapter(),
  ]
}
