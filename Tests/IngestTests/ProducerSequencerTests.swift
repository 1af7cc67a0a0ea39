import Ingest
import Telemetry
import Testing

@Suite("Sequencing one producer")
struct ProducerSequencerTests {
  private let malformed = TelemetryError.outOfRange(field: "phase", expected: "one", found: "9")

  private func sequencer(
    after lastSequence: UInt64 = 0,
    step lastStep: UInt64? = nil
  ) throws -> ProducerSequencer {
    ProducerSequencer(model: try Fixture.model(), lastSequence: lastSequence, lastStep: lastStep)
  }

  /// A report that is well-formed but does not fit the model.
  private func misfit(_ sequence: UInt64, step: UInt64) -> StepReport {
    var report = Fixture.report(sequence, step: step)
    report.gradients.norm = [1]
    return report
  }

  @Test("reports in order are accepted, each once, without a rewind")
  func accepts() throws {
    var sequencer = try sequencer()
    for number in UInt64(1)...5 {
      let report = Fixture.report(number, step: number * 10)
      #expect(sequencer.receive(report) == .accept(report, rewinds: false))
      #expect(sequencer.lastSequence == number)
      #expect(sequencer.lastStep == number * 10)
    }
  }

  @Test("a repeated report is a duplicate, however often and however old")
  func duplicates() throws {
    var sequencer = try sequencer(after: 7, step: 70)
    for number: UInt64 in [7, 7, 3, 1, 0] {
      #expect(sequencer.receive(Fixture.report(number, step: 99)) == .duplicate)
    }
    #expect(sequencer.lastSequence == 7)
    #expect(sequencer.lastStep == 70)
  }

  @Test("a skipped number is a gap that names the expected one, until that arrives")
  func gaps() throws {
    var sequencer = try sequencer(after: 7, step: 70)
    for number: UInt64 in [9, 10, .max] {
      #expect(sequencer.receive(Fixture.report(number, step: 99)) == .gap(expected: 8))
    }
    #expect(sequencer.lastSequence == 7)
    #expect(sequencer.lastStep == 70)
    #expect(sequencer.receive(Fixture.report(8, step: 71)).isAccepted)
    #expect(sequencer.receive(Fixture.report(9, step: 72)).isAccepted)
  }

  @Test("the first report must have number 1")
  func first() throws {
    var sequencer = try sequencer()
    #expect(sequencer.receive(Fixture.report(2)) == .gap(expected: 1))
    #expect(sequencer.receive(Fixture.report(0)) == .duplicate)
    #expect(sequencer.receive(Fixture.report(1)).isAccepted)
  }

  @Test("a refused report's number is taken, and its step is not")
  func refusals() throws {
    var sequencer = try sequencer(after: 7, step: 70)
    #expect(
      sequencer.receive(misfit(8, step: 80))
        == .refuse(.columnLength(column: "gradients.norm", expected: 3, found: 1))
    )
    #expect(sequencer.lastSequence == 8)
    #expect(sequencer.lastStep == 70)
    #expect(sequencer.receive(Fixture.report(8, step: 80)) == .duplicate)
    let next = Fixture.report(9, step: 71)
    #expect(sequencer.receive(next) == .accept(next, rewinds: false))
  }

  @Test("a report that could not be taken from the wire goes the same way")
  func malformedReports() throws {
    var sequencer = try sequencer(after: 7, step: 70)
    #expect(sequencer.receive(.failure(malformed), sequence: 8) == .refuse(malformed))
    #expect(sequencer.lastSequence == 8)
    #expect(sequencer.lastStep == 70)
    #expect(sequencer.receive(.failure(malformed), sequence: 9) == .refuse(malformed))
    #expect(sequencer.receive(Fixture.report(10, step: 71)).isAccepted)
  }

  @Test("the number is looked at first: a bad report may be a duplicate or after a gap")
  func order() throws {
    var sequencer = try sequencer(after: 7, step: 70)
    #expect(sequencer.receive(.failure(malformed), sequence: 7) == .duplicate)
    #expect(sequencer.receive(.failure(malformed), sequence: 9) == .gap(expected: 8))
    #expect(sequencer.receive(misfit(7, step: 71)) == .duplicate)
    #expect(sequencer.receive(misfit(9, step: 71)) == .gap(expected: 8))
    #expect(sequencer.lastSequence == 7)
  }

  @Test("a report whose step is not above the last one rewinds, and steps go on from there")
  func rewinds() throws {
    var sequencer = try sequencer(after: 3, step: 30)
    for (step, rewinds) in [
      (30, true), (31, false), (12, true), (13, false), (0, true), (0, true), (1, false),
      (Step.maximum, false), (Step.maximum, true),
    ] {
      let report = Fixture.report(sequencer.lastSequence + 1, step: step)
      #expect(sequencer.receive(report) == .accept(report, rewinds: rewinds), "step \(step)")
      #expect(sequencer.lastStep == step)
    }
  }

  @Test("step 0 of a producer without a last step does not rewind, after refusals neither")
  func firstStep() throws {
    var sequencer = try sequencer(after: 4)
    #expect(sequencer.receive(misfit(5, step: 100)).error != nil)
    let report = Fixture.report(6, step: 0)
    #expect(sequencer.receive(report) == .accept(report, rewinds: false))
  }

  @Test("the last number there is can be taken, and everything after is a duplicate")
  func lastNumber() throws {
    var sequencer = try sequencer(after: .max - 1, step: 5)
    #expect(sequencer.receive(Fixture.report(.max, step: 6)).isAccepted)
    #expect(sequencer.receive(Fixture.report(.max, step: 7)) == .duplicate)
  }
}
