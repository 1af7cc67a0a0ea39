import Dispatch

/// Runs tasks one at a time, on a thread that no other tasks wait for.
///
/// The tasks of all others are run in the order in which they become ready: behind a thousand that one event wakes at once. Those that
/// prefer this executor queue here, and what the machine has is shared between its thread and the others.
final class SerialTaskExecutor: TaskExecutor {
  private let queue: DispatchQueue

  /// Makes an executor.
  init(label: String) { queue = DispatchQueue(label: label) }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
