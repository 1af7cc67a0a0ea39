import GRPCCore

extension ServerContext {
  /// Runs what answers a call, as a task that is cancelled when the call is.
  ///
  /// That is when the client left, its time is over, or the collector shuts down. Of itself gRPC lets a handler go on for nobody.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws; ``Failure/shuttingDown`` if the call was cancelled first, for of those whose call is cancelled only
  ///   clients of a collector that shuts down hear of it.
  func cancelling<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
      defer { group.cancelAll() }
      group.addTask { try await body() }
      group.addTask { [cancellation] in
        try await cancellation.cancelled
        return nil
      }
      guard let value = try await group.next() ?? nil else { throw Failure.shuttingDown.status }
      return value
    }
  }
}
