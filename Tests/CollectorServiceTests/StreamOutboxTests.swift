import CollectorService
import Telemetry
import Testing

@Suite("What a telemetry stream has to tell its client")
struct StreamOutboxTests {
  private let error = TelemetryError.outOfRange(field: "step", expected: "a", found: "b")

  @Test("acks collapse into the newest")
  func acksCollapse() {
    var outbox = StreamOutbox(durable: 10, credits: 8)
    for sequence in 11...14 as ClosedRange<UInt64> { outbox.accepted(sequence) }
    #expect(outbox.takeEvents() == [])
    for sequence in 11...13 as ClosedRange<UInt64> { outbox.becameDurable(sequence) }
    #expect(outbox.takeEvents() == [.ack(sequence: 13, refusals: [])])
    #expect(outbox.takeEvents() == [])
  }

  @Test("credit ends with as many reports in flight as there are credits, and returns with an ack")
  func credits() {
    var outbox = StreamOutbox(durable: 0, credits: 2)
    outbox.accepted(1)
    #expect(outbox.hasCredit)
    outbox.accepted(2)
    #expect(!outbox.hasCredit)
    outbox.becameDurable(1)
    #expect(outbox.hasCredit)
  }

  @Test("credit ends while refusals pile up that the client does not read")
  func refusalsAreBounded() {
    var outbox = StreamOutbox(durable: 0, credits: 2)
    for sequence in 1...2 as ClosedRange<UInt64> {
      outbox.refused(sequence, error)
      outbox.becameDurable(sequence)
    }
    #expect(!outbox.hasCredit)
    #expect(
      outbox.takeEvents() == [
        .ack(
          sequence: 2,
          refusals: [.init(sequence: 1, error: error), .init(sequence: 2, error: error)]
        )
      ]
    )
    #expect(outbox.hasCredit)
  }

  @Test("a repeated report is acked again though nothing new is durable")
  func duplicateIsAcked() {
    var outbox = StreamOutbox(durable: 5, credits: 2)
    outbox.duplicate()
    #expect(outbox.takeEvents() == [.ack(sequence: 5, refusals: [])])
  }

  @Test("a gap is told once, and again only after a report was accepted")
  func gapIsToldOnce() {
    var outbox = StreamOutbox(durable: 0, credits: 8)
    outbox.gapFound(expected: 1, found: 3)
    outbox.gapFound(expected: 1, found: 4)
    #expect(outbox.takeEvents() == [.gap(expected: 1, found: 3)])
    outbox.gapFound(expected: 1, found: 5)
    #expect(outbox.takeEvents() == [])
    outbox.accepted(1)
    outbox.gapFound(expected: 2, found: 9)
    #expect(outbox.takeEvents() == [.gap(expected: 2, found: 9)])
  }

  @Test("a stream finishes only when all that was accepted is durable and told")
  func finishesAfterTheLastAck() {
    var outbox = StreamOutbox(durable: 0, credits: 8)
    outbox.accepted(1)
    outbox.end(.clientDone)
    #expect(outbox.finished == nil)
    outbox.becameDurable(1)
    #expect(outbox.finished == nil)
    _ = outbox.takeEvents()
    guard case .clientDone? = outbox.finished else {
      Issue.record("expected the stream to be finished")
      return
    }
  }

  @Test("a store that failed ends the stream at once: nothing more will be durable")
  func abandonedStreamDoesNotWait() {
    var outbox = StreamOutbox(durable: 0, credits: 8)
    outbox.accepted(1)
    outbox.abandon(error)
    guard case .failed(let found)? = outbox.finished else {
      Issue.record("expected the stream to be finished")
      return
    }
    #expect(found as? TelemetryError == error)
  }

  @Test("what is durable before it is known to be refused is acked with its refusal")
  func durableBeforeItIsTold() {
    var outbox = StreamOutbox(durable: 4, credits: 8)
    let isOpen = outbox.take()
    #expect(isOpen)
    outbox.becameDurable(5)
    #expect(!outbox.hasNews)
    #expect(outbox.takeEvents() == [])
    outbox.took()
    outbox.refused(5, error)
    #expect(outbox.hasNews)
    #expect(
      outbox.takeEvents() == [.ack(sequence: 5, refusals: [.init(sequence: 5, error: error)])]
    )
  }

  @Test("a stream does not finish while a report is being taken, nor is one taken after its end")
  func finishesAfterTheReportThatIsBeingTaken() {
    var outbox = StreamOutbox(durable: 0, credits: 8)
    let isOpen = outbox.take()
    #expect(isOpen)
    outbox.end(.failed(error))
    #expect(outbox.finished == nil)
    #expect(!outbox.hasNews)
    outbox.took()
    #expect(outbox.finished != nil)
    #expect(outbox.hasNews)
    let isStillOpen = outbox.take()
    #expect(!isStillOpen)
    #expect(outbox.finished != nil)
  }

  @Test("a report that is lost before it is known to be accepted is not waited for")
  func abandonedBeforeItIsTold() {
    var outbox = StreamOutbox(durable: 0, credits: 8)
    let isOpen = outbox.take()
    #expect(isOpen)
    outbox.abandon(error)
    outbox.took()
    outbox.accepted(1)
    #expect(outbox.finished != nil)
  }

  @Test("a failure overrides a client that was done, and no second failure replaces the first")
  func firstFailureCounts() {
    var outbox = StreamOutbox(durable: 0, credits: 8)
    outbox.end(.clientDone)
    outbox.end(.failed(error))
    outbox.end(.failed(TelemetryError.columnLength(column: "x", expected: 1, found: 2)))
    guard case .failed(let found)? = outbox.finished else {
      Issue.record("expected the stream to have failed")
      return
    }
    #expect(found as? TelemetryError == error)
  }
}
