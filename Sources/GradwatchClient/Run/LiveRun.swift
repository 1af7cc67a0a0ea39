import GRPCCore
public import Telemetry

/// A run that streams to a collector, for as long as the scope that
/// ``withRun(transport:registration:options:isolation:body:)`` opens.
///
/// ``report(_:)`` can be called from any thread; nothing that the collector does or fails to do
/// makes it wait.
public final class LiveRun: Sendable {
  /// The run's identifier.
  public let id: RunID
  /// The changes of this run's alerts, for one reader; ends when the run has ended.
  ///
  /// None is lost or doubled if the connection breaks. If nobody reads them, the newest
  /// ``RunOptions/alertCapacity`` are kept and the others counted in
  /// ``DeliveryStatus/droppedAlerts``.
  public let alerts: AsyncStream<AlertTransition>
  /// The reports that the collector refused, for one reader; ends when the run has ended.
  ///
  /// Bounded like ``alerts``; the first one and their number stay in ``status``.
  public let refusals: AsyncStream<Refusal>

  private let courier: Courier
  private let delivery: Task<Void, Never>

  /// Begins to register, in the background.
  init<Transport: ClientTransport>(
    transport: Transport,
    registration: RunRegistration,
    options: RunOptions
  ) {
    id = registration.run
    let capacity = AsyncStream<AlertTransition>.Continuation.BufferingPolicy
      .bufferingNewest(options.alertCapacity)
    let (alerts, alertInlet) = AsyncStream.makeStream(
      of: AlertTransition.self,
      bufferingPolicy: capacity
    )
    let (refusals, refusalInlet) = AsyncStream.makeStream(
      of: Refusal.self,
      bufferingPolicy: .bufferingNewest(options.alertCapacity)
    )
    self.alerts = alerts
    self.refusals = refusals
    let courier = Courier(
      registration: registration,
      options: options,
      alerts: alertInlet,
      refusals: refusalInlet
    )
    self.courier = courier
    // No child of the scope's task: that would be cancelled together with the training loop, and
    // what it had reported would be lost. The scope waits for it in any case, and its time is
    // bounded.
    delivery = Task { await courier.run(on: GRPCClient(transport: transport)) }
  }

  /// Hands a report over.
  ///
  /// Puts a pointer into a list: 1 µs while the sender is at work; one that sleeps has to be woken,
  /// which takes 10 µs (measured with 200 tensors a report, 64 buckets each). If the buffer is
  /// full, the report is dropped and counted, and so is one that comes after the end.
  ///
  /// - Parameter report: The report; its sequence number counts for nothing, as the run numbers
  ///   what it sends. Steps may rewind, as after a checkpoint restart.
  public func report(_ report: consuming StepReport) { courier.report(PendingReport(report)) }

  /// Hands a report over once there is room for it in the buffer.
  ///
  /// For a replay, which can wait as a training loop can't. Returns after handing over; waits no
  /// longer if the run has ended or failed, or if the task is cancelled, so that the report may be
  /// dropped and counted all the same. Reports that wait side by side come in any order.
  ///
  /// - Parameter report: The report, as in ``report(_:)``.
  public func reportWhenRoom(_ report: consuming StepReport) async {
    await courier.reportWhenRoom(PendingReport(report))
  }

  /// Waits until the collector has judged all that was reported: for a loop that acts on alerts before its next step.
  ///
  /// Afterwards ``openAlerts`` holds what these reports raised. Returns at once if no collector is there, and early if
  /// it goes away or the task is cancelled; the loop goes on without it.
  public func settle() async { await courier.settle() }

  /// The run's alerts that are not resolved, as far as was heard, in the order in which they began; at most
  /// ``RunOptions/alertCapacity``.
  ///
  /// Empty without ``RunOptions/wantsAlerts``. Those that only wait to fire are among them.
  public var openAlerts: [Alert] { courier.openAlerts }

  /// What became of the reports so far.
  public var status: DeliveryStatus { courier.status }

  /// Ends the run before its scope ends: sends what is in the buffer, tells the collector how the
  /// run ended, takes the last alerts.
  ///
  /// Returns after ``RunOptions/flushTimeout`` at the latest, and does not stop if its task is
  /// cancelled. The first call counts; the end of the scope calls it too.
  ///
  /// - Parameters:
  ///   - status: Finished, failed or aborted.
  ///   - reason: Why, for people; cut at 512 bytes.
  public func finish(as status: RunStatus = .finished, reason: String = "") async {
    courier.close(RunEnding(status, reason: reason))
    await delivery.value
  }

  /// Returns once the run is registered, or never will be, or the task is cancelled.
  func contact() async throws(ClientError) {
    await courier.contact()
    if case .failed(let error) = status.state { throw error }
  }
}
