import Dispatch
import Foundation

/// Runs what blocks (the store) away from the threads on which tasks run.
///
/// Bound: `width` works at a time; the callers wait without holding a thread. Overflow: they wait longer.
final class BlockingExecutor: Sendable {
  private let queue: OperationQueue

  /// Makes an executor that runs `width` works at a time.
  init(label: String, width: Int) {
    queue = OperationQueue()
    queue.name = label
    queue.maxConcurrentOperationCount = width
    queue.qualityOfService = .userInitiated
  }

  /// Runs `work` and returns what it does; cancellation is not seen while it runs.
  func run<Value: Sendable>(
    _ work: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      queue.addOperation { continuation.resume(with: Result(catching: work)) }
    }
  }
}
