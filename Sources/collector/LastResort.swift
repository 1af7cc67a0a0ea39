import Dispatch
import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Ends the process if a stop takes longer than it may, because something does not end though it was cut.
///
/// Nothing that was acked is lost with it: the next start moves the log, as after a kill.
final class LastResort: Service {
  private let logger: Logger
  private let isOver = Atomic(false)

  /// Beyond the 3 seconds after which streams are cut.
  private static let patience = 4.0

  /// Waits for a stop, of which it must be told first.
  init(_ logger: Logger) { self.logger = logger }

  func run() async throws {
    try await gracefulShutdown()
    // Not a task, which would be cut with the others.
    DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) {
      guard !self.isOver.load(ordering: .acquiring) else { return }
      self.logger.warning("a connection did not end though it was cut: left open")
      exit(0)
    }
  }

  /// The services have ended, and what is left to do may take its time.
  func end() { isOver.store(true, ordering: .releasing) }
}
