import Detection
import Telemetry
import Testing

@Suite("rank_divergence")
struct RankComparisonTests {
  private static func report(_ step: UInt64, norm: Double, skipped: Bool = false) -> StepReport {
    var scalars = StepScalars(step: step, wallTime: WallTime(clamping: 0))
    scalars.globalNorm = norm
    scalars.losses = [NamedLoss(name: "loss", value: 1)]
    scalars.optimizerSkipped = skipped
    return StepReport(sequence: step + 1, scalars: scalars)
  }

  private static func producers(_ count: UInt32) throws -> [Producer] {
    try (0..<count).map {
      Producer(id: try ProducerID("rank-\($0)"), rank: $0, worldSize: count)
    }
  }

  /// What is said of `count` ranks that report in another order at each step.
  private static func run(
    _ count: UInt32,
    steps: Range<UInt64>,
    skipped: Bool = false,
    rules: RuleSet = RuleSet(),
    norm: (UInt32, UInt64) -> Double
  ) throws -> [AlertTransition] {
    var comparison = RankComparison(run: try RunID("run"), rules: rules)
    let producers = try producers(count)
    return steps.flatMap { step in
      producers.indices.flatMap { index in
        let producer = producers[(index + Int(step)) % producers.count]
        return comparison.observe(
          report(step, norm: norm(producer.rank ?? 0, step), skipped: skipped),
          from: producer,
          receivedAt: Watch.time(step)
        )
      }
    }
  }

  private static func texts(_ changes: [AlertTransition]) -> [String] {
    changes.map { "\($0.alert.producer) \($0.alert.state) \($0.alert.severity) @\($0.step)" }
  }

  @Test("NaN on one rank alone is critical at once, and names the rank")
  func nonFinite() throws {
    let changes = try Self.run(4, steps: 0..<10) { rank, step in
      rank == 3 && step == 5 ? .nan : 1 + 0.1 * Double(rank)
    }
    #expect(Self.texts(changes).first == "rank-3 firing critical @5")
    #expect(changes.first?.alert.summary.contains("rank 3 of 4") == true)
  }

  @Test("NaN on all ranks is no matter of one, and a skipped step of none")
  func everywhere() throws {
    #expect(try Self.run(4, steps: 0..<10) { _, step in step == 5 ? .nan : 1 }.isEmpty)
    let skipped = try Self.run(4, steps: 0..<10, skipped: true) { rank, _ in rank == 1 ? .nan : 1 }
    #expect(skipped.isEmpty)
  }

  @Test("a rank at five times the others' norm warns at the third step, and resolves after 20")
  func outlier() throws {
    let changes = try Self.run(8, steps: 0..<60) { rank, step in
      rank == 2 && (10..<20).contains(step)
        ? 5 : 1 + 0.02 * Double((rank + UInt32(step)) % 5)
    }
    let texts = Self.texts(changes.filter { !($0.alert.state == .pending) })
    #expect(texts == ["rank-2 firing warning @12", "rank-2 resolved warning @39"])
  }

  @Test("an uneven last batch, noise of half a norm, and norms that all grow stay silent")
  func traps() throws {
    #expect(
      try Self.run(4, steps: 0..<40) { rank, step in
        rank == 0 && step % 20 == 19 ? 2.5 : 1 + 0.2 * Double((rank + UInt32(step)) % 4)
      }.isEmpty
    )
    #expect(try Self.run(4, steps: 0..<40) { _, step in Double(1 << (step % 30)) }.isEmpty)
  }

  @Test("where norms agree after the all-reduce, a rank that parts from them is critical")
  func drift() throws {
    let changes = try Self.run(4, steps: 0..<10) { rank, step in
      rank == 1 && step >= 4 ? 1.01 : 1
    }
    #expect(Self.texts(changes).last == "rank-1 firing critical @5")
  }

  @Test("of two ranks nobody knows which one is right, and without ranks there is no comparison")
  func tooFew() throws {
    #expect(try Self.run(2, steps: 0..<10) { rank, _ in rank == 1 ? .nan : 1 }.isEmpty)
    var comparison = RankComparison(run: try RunID("run"))
    let alone = Producer(id: try ProducerID("p"))
    for step in UInt64(0)..<5 {
      let report = Self.report(step, norm: .nan)
      #expect(comparison.observe(report, from: alone, receivedAt: Watch.time(step)).isEmpty)
    }
  }

  @Test("switched off it is silent, and a severity is the user's")
  func settings() throws {
    func norm(_ rank: UInt32, _ step: UInt64) -> Double { rank == 3 && step == 5 ? .nan : 1 }
    var off = RuleSettings(RankComparison.rule)
    off.isEnabled = false
    #expect(try Self.run(4, steps: 0..<10, rules: RuleSet([off]), norm: norm).isEmpty)
    var mild = RuleSettings(RankComparison.rule)
    mild.severities = [.critical: .info]
    let changes = try Self.run(4, steps: 0..<10, rules: RuleSet([mild]), norm: norm)
    #expect(Self.texts(changes).first == "rank-3 firing info @5")
  }

  @Test("an alert from the store goes on as the same one after a restart")
  func adopted() throws {
    let changes = try Self.run(4, steps: 0..<10) { rank, step in rank == 3 && step < 10 ? .nan : 1 }
    let alert = try #require(changes.last?.alert)
    var comparison = RankComparison(run: try RunID("run"))
    comparison.adopt([alert])
    var later: [AlertTransition] = []
    for step in UInt64(10)..<40 {
      for producer in try Self.producers(4) {
        let report = Self.report(step, norm: 1)
        later += comparison.observe(report, from: producer, receivedAt: Watch.time(step))
      }
    }
    #expect(Self.texts(later) == ["rank-3 resolved critical @29"])
    #expect(later.first?.alert.id == alert.id)
  }
}
