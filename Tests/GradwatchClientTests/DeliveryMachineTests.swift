import GradwatchClient
import Telemetry
import Testing

@Suite("What a client does next")
struct DeliveryMachineTests {
  private func pending(_ step: UInt64) -> PendingReport {
    PendingReport(
      StepReport(sequence: 0, scalars: StepScalars(step: step, wallTime: WallTime(clamping: 1)))
    )
  }

  /// A machine with an open stream.
  private func opened(
    last: UInt64 = 0,
    credits: UInt32 = 100,
    limits: DeliveryLimits = DeliveryLimits()
  )
    -> DeliveryMachine
  {
    var machine = DeliveryMachine(limits: limits)
    machine.registered()
    _ = machine.streamOpened(lastSequence: last, credits: credits, alertCursor: 0)
    return machine
  }

  /// Takes all that may be sent, as pairs of number and step.
  private func send(_ machine: inout DeliveryMachine) -> [[UInt64]] {
    var sent: [[UInt64]] = []
    while case .report(let sequence, let entry) = machine.nextMessage() {
      sent.append([sequence, entry.pending.report.step])
    }
    return sent
  }

  private func take(_ cursor: Int64, _ machine: inout DeliveryMachine) -> Bool {
    machine.alertArrived(cursor: cursor)
  }

  @Test("it registers, opens a stream, and numbers reports from where the collector stands")
  func beginning() {
    var machine = DeliveryMachine(limits: DeliveryLimits())
    machine.report(pending(0))
    machine.report(pending(1))
    #expect(machine.nextTask == .register)
    #expect(send(&machine) == [])
    machine.registered()
    #expect(machine.nextTask == .openStream(alertCursor: nil))
    #expect(send(&machine) == [])
    _ = machine.streamOpened(lastSequence: 40, credits: 8, alertCursor: 7)
    #expect(send(&machine) == [[41, 0], [42, 1]])
  }

  @Test("never more reports are under way than there are credits")
  func credits() throws {
    var machine = opened(credits: 2)
    for step in 0..<6 as Range<UInt64> { machine.report(pending(step)) }
    #expect(send(&machine) == [[1, 0], [2, 1]])
    _ = try machine.acknowledged(through: 1, credits: 2)
    #expect(send(&machine) == [[3, 2]])
    _ = try machine.acknowledged(through: 3, credits: 3)
    #expect(send(&machine) == [[4, 3], [5, 4], [6, 5]])
  }

  @Test("never more bytes are under way than allowed, except for one report that is larger alone")
  func bytesInFlight() throws {
    var limits = DeliveryLimits()
    limits.inFlightBytes = 2 * pending(0).bytes
    var machine = opened(limits: limits)
    for step in 0..<5 as Range<UInt64> { machine.report(pending(step)) }
    #expect(send(&machine) == [[1, 0], [2, 1]])
    _ = try machine.acknowledged(through: 2, credits: 100)
    #expect(send(&machine) == [[3, 2], [4, 3]])

    limits.inFlightBytes = 1
    machine = opened(limits: limits)
    for step in 0..<2 as Range<UInt64> { machine.report(pending(step)) }
    #expect(send(&machine) == [[1, 0]])
  }

  @Test("a full buffer drops the newest reports and tells the collector how many")
  func overflow() throws {
    var limits = DeliveryLimits()
    limits.bufferedReports = 3
    var machine = opened(limits: limits)
    for step in 0..<8 as Range<UInt64> { machine.report(pending(step)) }
    #expect(send(&machine) == [[1, 0], [2, 1], [3, 2]])
    #expect(machine.status.dropped == 5)
    #expect(machine.status.pending == 3)
    // Sent reports hold their places until they are acked.
    machine.report(pending(8))
    #expect(machine.status.dropped == 6)
    _ = try machine.acknowledged(through: 2, credits: 100)
    machine.report(pending(9))
    machine.report(pending(10))
    guard case .report(4, let first) = machine.nextMessage(),
      case .report(5, let second) = machine.nextMessage()
    else {
      Issue.record("expected reports 4 and 5")
      return
    }
    #expect(first.pending.report.step == 9)
    #expect(first.droppedSteps == 6)
    #expect(second.droppedSteps == 0)
    #expect(machine.status.reported == 11)
  }

  @Test("the buffer is bounded in bytes too")
  func overflowInBytes() {
    var limits = DeliveryLimits()
    limits.bufferedBytes = 2 * pending(0).bytes + 1
    var machine = opened(limits: limits)
    for step in 0..<3 as Range<UInt64> { machine.report(pending(step)) }
    #expect(machine.status.pending == 2)
    #expect(machine.status.dropped == 1)
  }

  @Test("after a broken stream it drops what is durable and sends the rest again")
  func reconnect() throws {
    var machine = opened()
    for step in 0..<6 as Range<UInt64> { machine.report(pending(step)) }
    _ = send(&machine)
    _ = try machine.acknowledged(through: 2, credits: 100)
    _ = machine.interrupted(.transient("gone"))
    #expect(machine.status.state == .waiting("gone"))
    machine.report(pending(6))
    #expect(send(&machine) == [])
    machine.resumed()
    #expect(machine.nextTask == .openStream(alertCursor: 0))
    _ = machine.streamOpened(lastSequence: 4, credits: 100, alertCursor: 0)
    #expect(send(&machine) == [[5, 4], [6, 5], [7, 6]])
    #expect(machine.status.delivered == 4)
  }

  @Test("it goes back at a gap, keeps what is not durable, and gives up if that does not help")
  func gap() throws {
    var machine = opened()
    for step in 0..<5 as Range<UInt64> { machine.report(pending(step)) }
    _ = send(&machine)
    try machine.gapFound(expected: 3)
    #expect(machine.status.pending == 5)
    #expect(send(&machine) == [[3, 2], [4, 3], [5, 4]])
    try machine.gapFound(expected: 3)
    try machine.gapFound(expected: 3)
    #expect(throws: DeliveryProblem.self) { try machine.gapFound(expected: 3) }
  }

  @Test("a gap frees the credits of what has to be sent again, and no more")
  func gapFreesCredits() throws {
    var machine = opened(credits: 4)
    for step in 0..<9 as Range<UInt64> { machine.report(pending(step)) }
    _ = send(&machine)
    try machine.gapFound(expected: 3)
    #expect(send(&machine) == [[3, 2], [4, 3]])
  }

  @Test("a gap that expects what was acked, or never sent, ends the stream", arguments: [0, 2, 7])
  func strangeGap(expected: UInt64) throws {
    var machine = opened()
    for step in 0..<9 as Range<UInt64> { machine.report(pending(step)) }
    for _ in 0..<5 { _ = machine.nextMessage() }
    _ = try machine.acknowledged(through: 2, credits: 100)
    #expect(throws: DeliveryProblem.self) { try machine.gapFound(expected: expected) }
  }

  @Test("an ack of what was never sent ends the stream")
  func ackTooFar() {
    var machine = opened()
    machine.report(pending(0))
    machine.report(pending(1))
    _ = machine.nextMessage()
    #expect(throws: DeliveryProblem.self) { try machine.acknowledged(through: 2, credits: 1) }
    #expect(throws: DeliveryProblem.self) { try machine.acknowledged(through: .max, credits: 1) }
  }

  @Test("a refused report is told once and never sent again")
  func refusal() throws {
    var machine = opened()
    for step in 0..<4 as Range<UInt64> { machine.report(pending(step)) }
    _ = send(&machine)
    let refusal = machine.refused(2, field: "step", reason: "why")
    #expect(refusal == Refusal(step: 1, field: "step", reason: "why"))
    let again = machine.refused(2, field: "step", reason: "why")
    let unknown = machine.refused(9, field: "step", reason: "never sent")
    #expect(again == nil)
    #expect(unknown == nil)
    // The stream breaks before the refusal is durable: its number goes to the next report.
    _ = machine.interrupted(.transient("gone"))
    machine.resumed()
    _ = machine.streamOpened(lastSequence: 1, credits: 100, alertCursor: 0)
    #expect(send(&machine) == [[2, 2], [3, 3]])
    _ = try machine.acknowledged(through: 3, credits: 100)
    let status = machine.status
    #expect(status.refused == 1)
    #expect(status.firstRefusal == refusal)
    #expect(status.delivered == 3)
    #expect(status.pending == 0)
  }

  @Test("a refusal that an ack covers is not counted as delivered")
  func refusalIsAcked() throws {
    var machine = opened()
    for step in 0..<3 as Range<UInt64> { machine.report(pending(step)) }
    _ = send(&machine)
    _ = machine.refused(2, field: "", reason: "")
    _ = try machine.acknowledged(through: 3, credits: 100)
    #expect(machine.status.delivered == 2)
    #expect(machine.status.refused == 1)
    #expect(machine.status.pending == 0)
  }

  @Test("a collector that lost the run gets it registered again, and what is left from number 1")
  func unknownRun() throws {
    var machine = opened(last: 10)
    for step in 0..<4 as Range<UInt64> { machine.report(pending(step)) }
    _ = send(&machine)
    _ = try machine.acknowledged(through: 12, credits: 100)
    _ = machine.alertArrived(cursor: 900)
    _ = machine.interrupted(.unknownRun("run x: not in the store"))
    machine.resumed()
    #expect(machine.nextTask == .register)
    machine.registered()
    // The new database counts its transitions from the start.
    #expect(machine.nextTask == .openStream(alertCursor: nil))
    _ = machine.streamOpened(lastSequence: 0, credits: 100, alertCursor: 2)
    #expect(send(&machine) == [[1, 2], [2, 3]])
    #expect(take(3, &machine))
  }

  @Test("an earlier copy of the database counts its transitions from where it ends")
  func earlierCopy() throws {
    var machine = opened()
    _ = machine.alertArrived(cursor: 900)
    _ = machine.interrupted(.transient("gone"))
    machine.resumed()
    #expect(machine.nextTask == .openStream(alertCursor: 900))
    #expect(!machine.forgetsAlerts(openedAt: 900))
    #expect(machine.forgetsAlerts(openedAt: 40))
    _ = machine.streamOpened(lastSequence: 0, credits: 100, alertCursor: 40)
    #expect(!take(40, &machine))
    #expect(take(41, &machine))
    #expect(machine.forgetsAlerts(openedAt: 40))
  }

  @Test("numbers that another process used are skipped")
  func foreignNumbers() {
    var machine = opened()
    for step in 0..<3 as Range<UInt64> { machine.report(pending(step)) }
    _ = machine.nextMessage()
    _ = machine.interrupted(.transient("gone"))
    machine.resumed()
    // Only report 1 was sent, so 2 to 20 are not ours.
    _ = machine.streamOpened(lastSequence: 20, credits: 100, alertCursor: 0)
    #expect(send(&machine) == [[21, 1], [22, 2]])
  }

  @Test("pauses double up to a limit and start over after an ack")
  func backoff() throws {
    var machine = opened()
    machine.report(pending(0))
    var pauses: [DeliveryMachine.Task] = []
    for _ in 0..<7 {
      _ = machine.interrupted(.transient("gone"))
      pauses.append(machine.nextTask)
      machine.resumed()
      _ = machine.streamOpened(lastSequence: 0, credits: 1, alertCursor: 0)
    }
    #expect(
      pauses
        == [200, 400, 800, 1600, 3200, 5000, 5000].map {
          .pause(atLeast: .zero, upTo: .milliseconds($0))
        }
    )
    _ = machine.nextMessage()
    _ = try machine.acknowledged(through: 1, credits: 1)
    _ = machine.interrupted(.transient("gone", retryAfter: .seconds(3)))
    #expect(machine.nextTask == .pause(atLeast: .seconds(3), upTo: .milliseconds(200)))
  }

  @Test("a permanent refusal ends it, and all that waits or comes later counts as dropped")
  func permanent() {
    var machine = opened()
    for step in 0..<3 as Range<UInt64> { machine.report(pending(step)) }
    _ = machine.nextMessage()
    let released = machine.interrupted(.permanent(.superseded))
    #expect(released.count == 3)
    #expect(machine.nextTask == .stop)
    machine.report(pending(3))
    #expect(machine.status.state == .failed(.superseded))
    #expect(machine.status.dropped == 4)
    #expect(machine.status.pending == 0)
    #expect(send(&machine) == [])
  }

  @Test("a collector that is required and absent ends it at the first registration only")
  func requiredCollector() {
    var limits = DeliveryLimits()
    limits.requiresCollector = true
    var machine = DeliveryMachine(limits: limits)
    _ = machine.interrupted(.transient("refused"))
    #expect(machine.status.state == .failed(.unreachable("refused")))
    #expect(machine.hasMadeContact)

    machine = opened(limits: limits)
    _ = machine.interrupted(.unknownRun("lost"))
    machine.resumed()
    _ = machine.interrupted(.transient("refused"))
    #expect(machine.status.state == .waiting("refused"))
  }

  @Test("at the end it delivers, then finishes the run, then ends the stream")
  func finishing() throws {
    var machine = opened()
    machine.report(pending(0))
    machine.close(RunEnding(.failed, reason: "a\nb"))
    machine.report(pending(1))
    #expect(machine.status.dropped == 1)
    #expect(send(&machine) == [[1, 0]])
    guard case .wait = machine.nextMessage() else {
      Issue.record("expected to wait for the ack")
      return
    }
    _ = try machine.acknowledged(through: 1, credits: 1)
    guard case .finishRun(let ending) = machine.nextMessage() else {
      Issue.record("expected to finish the run")
      return
    }
    #expect(ending == RunEnding(.failed, reason: "a b"))
    machine.runFinished()
    guard case .endStream = machine.nextMessage() else {
      Issue.record("expected to end the stream")
      return
    }
    machine.streamEnded()
    #expect(machine.nextTask == .stop)
    #expect(machine.status.state == .completed)
  }

  @Test("a process that is not the first rank ends its stream without finishing the run")
  func otherRank() {
    var limits = DeliveryLimits()
    limits.finishesRun = false
    var machine = opened(limits: limits)
    machine.close(RunEnding(.finished))
    guard case .endStream = machine.nextMessage() else {
      Issue.record("expected to end the stream")
      return
    }
    machine.streamEnded()
    #expect(machine.status.state == .completed)
  }

  @Test("a stream that the collector ends early is opened again")
  func earlyEnd() {
    var machine = opened()
    machine.report(pending(0))
    machine.streamEnded()
    machine.resumed()
    #expect(machine.nextTask == .openStream(alertCursor: 0))
  }

  @Test("what is not delivered when the time is over is dropped and told")
  func givingUp() {
    var machine = opened()
    for step in 0..<2 as Range<UInt64> { machine.report(pending(step)) }
    _ = machine.interrupted(.transient("no route"))
    let released = machine.giveUp()
    #expect(released.count == 2)
    #expect(
      machine.status.state == .failed(.incomplete(pendingReports: 2, lastProblem: "no route"))
    )
    #expect(machine.status.dropped == 2)
  }

  @Test("an alert is taken once, in order of its cursor")
  func alerts() {
    var machine = opened()
    #expect(take(3, &machine))
    #expect(!take(3, &machine))
    #expect(!take(2, &machine))
    #expect(take(9, &machine))
    _ = machine.interrupted(.transient("gone"))
    machine.resumed()
    #expect(machine.nextTask == .openStream(alertCursor: 9))
    // What the collector says at opening does not skip the alerts between.
    _ = machine.streamOpened(lastSequence: 0, credits: 1, alertCursor: 12)
    #expect(take(10, &machine))
  }

  @Test("a reason is cut at what the collector takes")
  func longReason() {
    let ending = RunEnding(.failed, reason: String(repeating: "ä", count: 400))
    #expect(ending.reason == String(repeating: "ä", count: 256))
  }
}
