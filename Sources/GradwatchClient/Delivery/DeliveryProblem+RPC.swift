import GRPCCore
import GRPCProtobuf

extension DeliveryProblem {
  /// Sorts an error of a call by what a client can do about it.
  init(_ error: any Error) {
    switch error {
    case let problem as DeliveryProblem: self = problem
    case let error as RPCError: self.init(error)
    case let error as RuntimeError: self = .permanent(.transportEnded("\(error)"))
    default: self = .transient("\(error)")
    }
  }

  /// The longest that a collector can make a client wait; reports are lost when the buffer is full.
  private static let maximumRetryAfter = Duration.seconds(60)

  private init(_ error: RPCError) {
    // Details that can't be read say no more than the code does.
    let details = (try? error.unpackGoogleRPCStatus())?.details ?? []
    switch error.code {
    case .invalidArgument, .failedPrecondition, .unauthenticated, .permissionDenied, .unimplemented,
      .outOfRange, .alreadyExists:
      self = .permanent(
        .rejected(
          code: "\(error.code)",
          reason: details.lazy.compactMap(\.errorInfo?.reason).first ?? "",
          message: error.message
        )
      )
    case .aborted: self = .permanent(.superseded)
    case .notFound: self = .unknownRun(error.message)
    default:
      let delay = details.lazy.compactMap(\.retryInfo?.delay).first ?? .zero
      self = .transient(
        error.message.isEmpty ? "\(error.code)" : error.message,
        retryAfter: min(max(delay, .zero), Self.maximumRetryAfter)
      )
    }
  }
}
