public import GRPCCore
public import Telemetry

/// Registers a run, lends it to a training loop, and ends it.
///
/// ```swift
/// let outcome = try await withRun(transport: transport, registration: registration) { run in
///   for step in 0..<steps {
///     train(step)
///     run.report(report(of: step))
///   }
/// }
/// ```
/// Reports are sent in the background. The run ends as finished if `body` returns, as failed if it
/// throws, and as aborted if the task is cancelled, unless `body` calls
/// ``LiveRun/finish(as:reason:)`` itself; either way what is in the buffer is sent first, for at
/// most ``RunOptions/flushTimeout``. A collector that is absent, slow, or gone in between stops
/// nothing: see the outcome's ``RunOutcome/delivery``.
///
/// `body` may block its thread, as training loops do, if another one is left to the sender: call
/// this from the main actor, or have more than one core.
///
/// - Parameters:
///   - transport: Where the collector is; one that was not used before, with TLS or without.
///   - registration: The run, its model and this process.
///   - options: Bounds and timeouts.
///   - isolation: Where `body` runs: where the caller does.
///   - body: The training.
/// - Returns: What `body` returned, and what became of the telemetry.
/// - Throws: What `body` throws; and ``ClientError``, before `body` is called, if
///   ``RunOptions/requiresCollector`` is set and the run can't be registered.
@discardableResult
public func withRun<Transport: ClientTransport, Value>(
  transport: Transport,
  registration: RunRegistration,
  options: RunOptions = RunOptions(),
  isolation: isolated (any Actor)? = #isolation,
  body: (LiveRun) async throws -> Value
) async throws -> RunOutcome<Value> {
  let run = LiveRun(transport: transport, registration: registration, options: options)
  do {
    if options.requiresCollector { try await run.contact() }
    let value = try await body(run)
    await run.finish(as: Task.isCancelled ? .aborted : .finished)
    return RunOutcome(value: value, delivery: run.status)
  } catch {
    let isCancelled = error is CancellationError || Task.isCancelled
    await run.finish(
      as: isCancelled ? .aborted : .failed,
      reason: isCancelled ? "" : "\(error)"
    )
    throw error
  }
}
