import Ingest
import Telemetry
import TelemetryTesting
import Testing

@Suite("Reports over a lossy way")
struct LossyDeliveryTests {
  /// A producer's reports: every ninth is bad, half of these on the wire, half against the model.
  private static func report(_ sequence: UInt64) -> Result<StepReport, TelemetryError> {
    var report = Fixture.report(sequence, step: sequence)
    switch sequence % 18 {
    case 9: return .failure(.outOfRange(field: "phase", expected: "a phase", found: "9"))
    case 0: report.parameters.norm = [1, 2]
    default: break
    }
    return .success(report)
  }

  /// What the collector has: what is durable survives a crash, the rest is lost.
  private struct Collector {
    var sequencer: ProducerSequencer
    var durable: [UInt64] = []
    var waiting: [UInt64] = []

    mutating func receive(_ sequence: UInt64) -> Decision {
      let decision = sequencer.receive(LossyDeliveryTests.report(sequence), sequence: sequence)
      switch decision {
      case .accept, .refuse: waiting.append(sequence)
      case .duplicate, .gap: break
      }
      return decision
    }

    mutating func commit() {
      durable += waiting
      waiting = []
    }

    mutating func crash(model: Model) {
      waiting = []
      sequencer = ProducerSequencer(
        model: model,
        lastSequence: durable.last ?? 0,
        lastStep: durable.last { $0 % 9 != 0 }
      )
    }
  }

  @Test(
    "drops, duplicates, reorders, resends and crashes: every number is taken once, in order",
    arguments: UInt64(1)...20
  )
  func everyNumberOnce(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let model = try Fixture.model()
    var collector = Collector(
      sequencer: ProducerSequencer(model: model, lastSequence: 0, lastStep: nil)
    )
    let count: UInt64 = 300
    var next: UInt64 = 1
    var way: [UInt64] = []
    var rounds = 0
    while collector.durable.count < Int(count) {
      rounds += 1
      try #require(rounds < 100_000, "seed \(seed)")
      switch Int.random(in: 0..<20, using: &generator) {
      case 0..<9 where next <= count:
        way.append(next)
        next += 1
      case 9: way.shuffle(using: &generator)
      case 10 where !way.isEmpty: way.removeFirst()
      case 11: if let some = way.randomElement(using: &generator) { way.append(some) }
      case 12: way.append(.random(in: 0...min(next, count), using: &generator))
      case 13: collector.commit()
      case 14 where Int.random(in: 0..<5, using: &generator) == 0:
        collector.crash(model: model)
        (way, next) = ([], collector.sequencer.lastSequence + 1)
      case 15 where next > count: next = collector.sequencer.lastSequence + 1
      default:
        guard !way.isEmpty else { continue }
        let sequence = way.removeFirst()
        let before = collector.sequencer.lastSequence
        switch collector.receive(sequence) {
        case .accept(let report, let rewinds):
          try #require(sequence == before + 1 && sequence % 9 != 0, "seed \(seed)")
          try #require(report.sequence == sequence && !rewinds, "seed \(seed)")
        case .refuse: try #require(sequence == before + 1 && sequence % 9 == 0, "seed \(seed)")
        case .duplicate: try #require(sequence <= before, "seed \(seed)")
        case .gap(let expected):
          try #require(expected == before + 1 && sequence > expected, "seed \(seed)")
          next = expected
        }
      }
    }
    try #require(collector.durable == Array(1...count), "seed \(seed)")
  }
}
