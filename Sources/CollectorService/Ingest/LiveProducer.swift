import Detection
import Ingest
import RunStore
import Synchronization
import Telemetry

/// One producer that is reporting: its sequencer and its detector, in step with each other.
///
/// A report passes through both under one lock and is queued for the disk before the lock is let go, so
/// that the order of acceptance is the order of detection and of commits. What was accepted and then could
/// not be made durable leaves the two ahead of the store: the producer is then `broken`, every stream of it
/// ends, and a new one is rebuilt from what the store has.
final class LiveProducer: Sendable {
  /// Why a report was not taken, apart from its own faults.
  enum Interruption: Error {
    /// A newer stream of this producer took over.
    case superseded
    /// An earlier report could not be made durable.
    case storeFailed(RunStoreError)
    /// The run was deleted.
    case runDeleted(RunID)
  }

  /// A stream's claim to speak for the producer; the newest counts.
  struct Claim: Hashable, Sendable { fileprivate let number: UInt64 }

  private struct State {
    /// As it was registered last: a run may go on with fewer ranks than it had.
    var identity: Producer
    var sequencer: ProducerSequencer
    var detector: Detector
    /// What the detector is to use; it has its own set, which snapshots carry, until it takes this one.
    var rules: StoredRules
    var newestClaim: UInt64 = 0
    /// Tells the stream that holds the newest claim that it lost it; `nil` if no stream is open.
    var onLost: (@Sendable (Interruption) -> Void)?
    /// Why nothing is taken any more.
    var failure: Interruption?
    var reportsSinceSnapshot = 0
    var isFinished: Bool
    var lastUsed: WallTime
  }

  /// The run.
  let run: RunID
  /// The producer.
  let producer: ProducerID
  /// The run's project.
  let project: String
  /// The tensors and layers of its model, which its memory follows.
  let size: Int

  /// What holds this rank against the others; `nil` if the producer is no rank.
  private let ranks: RankWatch?
  private let committer: Committer
  private let snapshotInterval: Int
  private let state: Mutex<State>
  /// Units that were submitted and not completed; beside the state, whose lock is held while a report is detected.
  private let pending = Atomic(0)

  /// Takes a sequencer and a detector that are as the store has them.
  init(
    run: RunID,
    size: Int,
    producer: Producer,
    ranks: RankWatch?,
    project: String,
    isFinished: Bool,
    sequencer: ProducerSequencer,
    detector: Detector,
    rules: StoredRules,
    reportsSinceSnapshot: Int,
    committer: Committer,
    snapshotInterval: Int,
    at now: WallTime
  ) {
    self.run = run
    self.size = size
    self.producer = producer.id
    self.ranks = ranks
    self.project = project
    self.committer = committer
    self.snapshotInterval = snapshotInterval
    state = Mutex(
      State(
        identity: producer,
        sequencer: sequencer,
        detector: detector,
        rules: rules,
        reportsSinceSnapshot: reportsSinceSnapshot,
        isFinished: isFinished,
        lastUsed: now
      )
    )
  }

  /// Opens a stream: it speaks for the producer until a newer one opens.
  ///
  /// - Parameter onLost: Called if a newer one opens, or the run is deleted; must not block.
  /// - Returns: What to receive reports with, and to release when the stream ends.
  func claim(onLost: @escaping @Sendable (Interruption) -> Void) -> Claim {
    let (claim, older) = state.withLock { state in
      state.newestClaim += 1
      defer { state.onLost = onLost }
      return (Claim(number: state.newestClaim), state.onLost)
    }
    older?(.superseded)
    return claim
  }

  /// Whether a stream is open.
  var hasStream: Bool { state.withLock { $0.onLost != nil } }

  /// Takes nothing more, because the run is deleted, and ends the stream that is open.
  func end() {
    let reason = Interruption.runDeleted(run)
    let onLost = state.withLock { state in
      if state.failure == nil { state.failure = reason }
      return state.onLost
    }
    onLost?(reason)
  }

  /// Ends a stream's claim; does nothing if a newer stream has it.
  func release(_ claim: Claim) {
    state.withLock { state in
      if state.newestClaim == claim.number { state.onLost = nil }
    }
  }

  /// The last sequence number and step that were accepted or refused.
  var last: (sequence: UInt64, step: UInt64?) {
    state.withLock { ($0.sequencer.lastSequence, $0.sequencer.lastStep) }
  }

  /// Whether a report could not be made durable, or the run was deleted, so that this object must be
  /// replaced.
  var isBroken: Bool { state.withLock { $0.failure != nil } }

  /// Throws if something that this producer took could not be made durable, or the run was deleted.
  func checkIsStored() throws(Interruption) {
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  /// Whether nothing would be lost by forgetting this object, and since when it was not used.
  var idleSince: WallTime? {
    state.withLock { isAllCompleted && $0.onLost == nil ? $0.lastUsed : nil }
  }

  /// Whether the run ended.
  var isFinished: Bool { state.withLock { $0.isFinished } }

  /// Says that the run was registered again, maybe by this producer.
  func resume(_ registered: Producer) {
    state.withLock { state in
      state.isFinished = false
      if registered.id == producer { state.identity = registered }
    }
  }

  /// Takes one report: sequence, detect, and queue for the disk.
  ///
  /// - Parameters:
  ///   - arriving: The report, or what was wrong with it on the wire; its bytes are reserved, and those are given back that what
  ///     is submitted does not hold.
  ///   - now: The time of arrival.
  ///   - claim: The claim of the stream that it came on; `nil` for a unary call.
  ///   - completion: Called when the report, or its refusal, is durable or was given up; not for others.
  /// - Returns: What became of it.
  /// - Throws: ``Interruption`` if this stream may not speak any more; the report was not looked at.
  func receive(
    _ arriving: ArrivingReport,
    at now: WallTime,
    claim: Claim?,
    completion: @escaping @Sendable (Result<Void, RunStoreError>) -> Void
  ) throws(Interruption) -> Decision {
    // What is submitted keeps; it is about a quarter of what came.
    var kept = 0
    defer { committer.release(arriving.bytes - kept) }
    return try state.withLock { state throws(Interruption) in
      if let failure = state.failure { throw failure }
      if let claim, claim.number != state.newestClaim { throw .superseded }
      state.lastUsed = now
      let sequence = arriving.sequence
      let decision = state.sequencer.receive(arriving.report, sequence: sequence)
      switch decision {
      case .accept(let report, let rewinds):
        let changes = takeRules(&state, at: now)
        var transitions = changes ?? []
        if rewinds { transitions += state.detector.rewind(to: report.step, at: now) }
        transitions += state.detector.observe(report, receivedAt: now)
        state.reportsSinceSnapshot += 1
        var snapshot: [UInt8]?
        // What a rewind drops from the log can't be replayed, so the state is kept with it; and what
        // comes after other rules is replayed with these.
        if rewinds || changes != nil || state.reportsSinceSnapshot >= snapshotInterval {
          state.reportsSinceSnapshot = 0
          snapshot = state.detector.snapshot()
        }
        let accepted = RunChange.AcceptedReport(
          run: run,
          producer: producer,
          report: report,
          receivedAt: now,
          rewinds: rewinds,
          transitions: transitions,
          snapshot: snapshot
        )
        kept = Swift.min(accepted.byteCount, arriving.bytes)
        guard let ranks else {
          submit([.report(accepted)], bytes: kept, &state, completion)
          break
        }
        ranks.observe(report, from: state.identity, at: now) {
          submit([.report(accepted.adding($0))], bytes: kept, &state, completion)
        }
      case .refuse:
        submit(
          [.refusal(run: run, producer: producer, sequence: sequence)],
          bytes: 0,
          &state,
          completion
        )
      case .duplicate, .gap: break
      }
      return decision
    }
  }

  /// Lets the rules that watch for silence look at the clock.
  func tick(at now: WallTime) {
    state.withLock { state in
      guard state.failure == nil, !state.isFinished else { return }
      settleRules(&state, at: now)
      let transitions = state.detector.tick(at: now)
      guard !transitions.isEmpty else { return }
      submit([.transitions(transitions)], bytes: 0, &state) { _ in }
    }
  }

  /// Says that the run ended: silence is no fault any more, and all reports may be sealed.
  func finish(at now: WallTime) throws(Interruption) {
    try state.withLock { state throws(Interruption) in
      if let failure = state.failure { throw failure }
      state.isFinished = true
      state.lastUsed = now
      let transitions = state.detector.finish(at: now)
      submitWithSnapshot(transitions, &state)
    }
  }

  /// Has a snapshot made of all that was received, so that nothing of it need stay in the log.
  ///
  /// - Returns: Whether there is one, and no stream; else it is on its way.
  func settle() -> Bool {
    state.withLock { state in
      guard state.failure == nil, state.reportsSinceSnapshot > 0 else {
        return isAllCompleted && state.onLost == nil
      }
      submitWithSnapshot([], &state)
      return false
    }
  }

  /// Acknowledges an alert; it is durable once the committer is flushed and ``checkIsStored()`` passes.
  ///
  /// - Returns: The acknowledged alert; `nil` if the detector has no such alert that fires.
  func acknowledge(
    _ id: AlertID,
    by person: String,
    at now: WallTime
  ) throws(Interruption) -> Alert? {
    try state.withLock { state throws(Interruption) in
      if let failure = state.failure { throw failure }
      guard let transition = state.detector.acknowledge(id, by: person, at: now) else {
        let step = state.sequencer.lastStep ?? 0
        return ranks?.acknowledge(id, by: person, step: step, at: now) { change in
          submit([.transitions([change])], bytes: 0, &state) { _ in }
        }
      }
      submit([.transitions([transition])], bytes: 0, &state) { _ in }
      return transition.alert
    }
  }

  /// Takes other rules, now if the run is in progress, else with its next report.
  ///
  /// - Parameters:
  ///   - rules: What is in force; older than what this producer knows already: ignored.
  ///   - now: The time.
  func use(_ rules: StoredRules, at now: WallTime) {
    state.withLock { state in
      // Of its own, because the watch may be older than this producer.
      if state.failure == nil {
        ranks?.apply(rules, at: now) { changes in
          guard !changes.isEmpty else { return }
          submit([.transitions(changes)], bytes: 0, &state) { _ in }
        }
      }
      guard rules.revision > state.rules.revision else { return }
      state.rules = rules
      guard state.failure == nil, !state.isFinished else { return }
      settleRules(&state, at: now)
    }
  }

  /// Gives the detector the rules that are in force; returns what that changed, `nil` if it has them.
  private func takeRules(_ state: inout State, at now: WallTime) -> [AlertTransition]? {
    guard state.detector.rules != state.rules.rules else { return nil }
    return state.detector.apply(state.rules.rules, at: now)
  }

  /// The same without a report: the snapshot says that what follows is replayed with other rules.
  private func settleRules(_ state: inout State, at now: WallTime) {
    guard let transitions = takeRules(&state, at: now) else { return }
    submitWithSnapshot(transitions, &state)
  }

  /// Submits transitions that no report carries, with the state in which they leave the detector.
  private func submitWithSnapshot(_ transitions: [AlertTransition], _ state: inout State) {
    state.reportsSinceSnapshot = 0
    submit(
      [
        .transitions(transitions),
        .snapshot(
          run: run,
          producer: producer,
          sequence: state.sequencer.lastSequence,
          state: state.detector.snapshot()
        ),
      ],
      bytes: 0,
      &state
    ) { _ in }
  }

  private func submit(
    _ changes: [RunChange],
    bytes: Int,
    _ state: inout State,
    _ completion: @escaping @Sendable (Result<Void, RunStoreError>) -> Void
  ) {
    pending.add(1, ordering: .relaxed)
    committer.submit(
      .init(changes: changes, project: project, bytes: bytes) { result in
        self.completed(result)
        completion(result)
      }
    )
  }

  private var isAllCompleted: Bool { pending.load(ordering: .acquiring) == 0 }

  private func completed(_ result: Result<Void, RunStoreError>) {
    if case .failure(let error) = result {
      state.withLock { state in
        if state.failure == nil { state.failure = .storeFailed(error) }
      }
    }
    pending.subtract(1, ordering: .releasing)
  }
}
