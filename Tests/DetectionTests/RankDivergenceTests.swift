import Detection
import Telemetry
import Testing

@Suite("rank_divergence, rank by rank")
struct RankDivergenceTests {
  /// The ranks of a run, and what was said of them as `rank: state severity @step`.
  private struct Ranks {
    var comparison: RankComparison
    let producers: [Producer]
    private(set) var life: [String] = []
    private(set) var alerts: [Alert] = []

    init(_ count: Int, rules: RuleSet = RuleSet(), hasRanks: Bool = true) throws {
      comparison = RankComparison(run: try RunID("run"), rules: rules)
      producers = try (0..<count).map {
        Producer(
          id: try ProducerID("rank-\($0)"),
          rank: hasRanks ? UInt32($0) : nil,
          worldSize: hasRanks ? UInt32(count) : nil
        )
      }
    }

    /// Feeds one step in the order of `order`; `norm` says each rank's global norm.
    mutating func feed(
      _ step: Int,
      order: [Int]? = nil,
      change: (Int, inout StepReport) -> Void = { _, _ in },
      norm: (Int) -> Double
    ) {
      for rank in order ?? Array(producers.indices) {
        var report = StepReport(step: UInt64(step))
        report.scalars.globalNorm = norm(rank)
        change(rank, &report)
        let changes = comparison.observe(
          report,
          from: producers[rank],
          receivedAt: Watch.time(UInt64(step))
        )
        for change in changes {
          life.append(
            "\(change.alert.producer.rawValue): \(change.alert.state) \(change.alert.severity) "
              + "@\(change.step)"
          )
          alerts.append(change.alert)
        }
      }
    }
  }

  /// Local norms differ from rank to rank by a tenth.
  private static func usual(_ step: Int, _ rank: Int) -> Double {
    var noise = Noise(seed: UInt64(step * 64 + rank))
    return 0.9 + 0.2 * noise.fraction()
  }

  @Test("a rank ten times above the others warns at its third step, and resolves after 20 clean")
  func far() throws {
    var ranks = try Ranks(8)
    for step in 0..<40 {
      ranks.feed(step, order: (0..<8).map { ($0 * 3 + step) % 8 }) {
        $0 == 3 && (5..<10).contains(step) ? 10 : Self.usual(step, $0)
      }
    }
    #expect(
      ranks.life == [
        "rank-3: pending warning @6", "rank-3: firing warning @7", "rank-3: resolved warning @29",
      ]
    )
    let alert = try #require(ranks.alerts.first { $0.state == .firing })
    #expect(alert.rule == RankComparison.rule)
    #expect(alert.summary.hasPrefix("rank 3 of 8"))
    #expect(!alert.remedies.isEmpty)
  }

  @Test(
    "weights that were equal and part are critical, measured now and then or at each step",
    arguments: ["one rank", "no all-reduce", "shards", "drawn alike", "restored"]
  )
  func weights(_ kind: String) throws {
    var ranks = try Ranks(4)
    for step in 0..<80 {
      ranks.feed(
        step,
        change: { rank, report in
          guard step % 10 == 0 else { return }
          let isApart =
            switch kind {
            case "shards": true
            case "drawn alike": step > 0
            case "restored": rank == 2 && step == 30
            default: step >= 30 && (rank == 2 || kind == "no all-reduce")
            }
          report.parameters.norm = [3, isApart ? 4 + 0.1 * Float(rank + step / 30) : 4]
        },
        norm: { Self.usual(step, $0) }
      )
    }
    switch kind {
    case "one rank": #expect(ranks.life == ["rank-2: firing critical @30"])
    case "no all-reduce":
      // Half of them are on either side of the median, which is one of them.
      #expect(ranks.life.sorted() == [0, 1, 3].map { "rank-\($0): firing critical @30" })
    case "restored":
      #expect(ranks.life == ["rank-2: firing critical @30", "rank-2: resolved critical @59"])
    default: #expect(ranks.life == [])
    }
    guard let alert = ranks.alerts.first else { return }
    #expect(alert.summary.hasSuffix("they were equal before"))
    #expect(alert.evidence.observed > 0.001)
  }

  @Test("a rank that alone is not finite is critical at once", arguments: [Double.nan, .infinity])
  func nonFinite(_ norm: Double) throws {
    var ranks = try Ranks(4)
    for step in 0..<3 { ranks.feed(step) { $0 == 2 && step == 1 ? norm : Self.usual(step, $0) } }
    #expect(ranks.life == ["rank-2: firing critical @1"])
  }

  @Test("after the all-reduce norms agree, and one that is off by 1 % is critical at its second")
  func drift() throws {
    var ranks = try Ranks(4)
    for step in 0..<6 { ranks.feed(step) { $0 == 1 && step >= 2 ? 1.01 : 1 } }
    #expect(ranks.life.first?.hasPrefix("rank-1: ") == true)
    #expect(ranks.life.last == "rank-1: firing critical @3")
  }

  @Test("a run that goes on with fewer ranks is compared anew; the others' alerts resolve")
  func fewerRanks() throws {
    var ranks = try Ranks(8)
    for step in 0..<5 { ranks.feed(step) { $0 == 6 ? 10 : Self.usual(step, $0) } }
    #expect(ranks.life.last == "rank-6: firing warning @2")
    // Killed in the middle of a step.
    ranks.feed(5, order: [0, 1, 2, 3, 6]) { Self.usual(5, $0) }
    var fewer = try Ranks(4)
    fewer.comparison = ranks.comparison
    for step in 5..<10 { fewer.feed(step) { $0 == 1 ? 10 : Self.usual(step, $0) } }
    #expect(
      fewer.life == [
        "rank-6: resolved warning @5", "rank-1: pending warning @6", "rank-1: firing warning @7",
      ]
    )
    #expect(fewer.alerts.last?.summary.hasPrefix("rank 1 of 4") == true)
  }

  @Test("a rank that another process speaks for is one rank still")
  func otherProcess() throws {
    var comparison = RankComparison(run: try RunID("run"))
    for step in 0..<3 {
      for rank in 0..<4 as Range<UInt32> {
        // Each attempt of the job names its processes anew.
        for attempt in 0...1 where attempt == 1 || step == 0 {
          var report = StepReport(step: UInt64(step))
          report.scalars.globalNorm = rank == 3 && step == 2 ? .nan : 1
          let changes = comparison.observe(
            report,
            from: Producer(id: try ProducerID("\(attempt)-\(rank)"), rank: rank),
            receivedAt: Watch.time(UInt64(step))
          )
          #expect(changes.map(\.alert.state) == (rank == 3 && step == 2 ? [.firing] : []))
        }
      }
    }
  }

  @Test("a user's threshold and switch hold")
  func tuning() throws {
    var settings = RuleSettings(RankComparison.rule)
    settings.thresholds = ["warning_ratio": 30]
    var ranks = try Ranks(8, rules: RuleSet([settings]))
    for step in 0..<10 { ranks.feed(step) { $0 == 3 ? 10 : Self.usual(step, $0) } }
    #expect(ranks.life == [])
    settings.thresholds = [:]
    #expect(ranks.comparison.apply(RuleSet([settings]), at: Watch.time(10)) == [])
    for step in 10..<13 { ranks.feed(step) { $0 == 3 ? 10 : Self.usual(step, $0) } }
    #expect(ranks.life.last == "rank-3: firing warning @12")
    settings.isEnabled = false
    let resolved = ranks.comparison.apply(RuleSet([settings]), at: Watch.time(13))
    #expect(resolved.map(\.alert.state) == [.resolved])
    #expect(resolved.first?.alert.resolvedStep == 12)
    let count = ranks.life.count
    for step in 13..<20 { ranks.feed(step) { _ in .nan } }
    #expect(ranks.life.count == count)
  }

  @Test(
    "traps stay silent",
    arguments: [
      "usual", "last batch", "two ranks", "no ranks", "a rank that lags", "skipped", "all NaN",
      "zeros", "now and then",
    ]
  )
  func traps(_ trap: String) throws {
    var ranks = try Ranks(trap == "two ranks" ? 2 : 8, hasRanks: trap != "no ranks")
    for step in 0..<200 {
      let order = trap == "a rank that lags" ? Array(1..<8) : nil
      ranks.feed(
        step,
        order: order,
        change: { $1.scalars.optimizerSkipped = trap == "skipped" && $0 == 1 },
        norm: { rank in
          switch trap {
          // An uneven last batch: a quarter of the samples, twice the noise.
          case "last batch": step % 10 == 9 && rank == 7 ? 2 : Self.usual(step, rank)
          case "two ranks", "no ranks", "a rank that lags": rank == 1 ? 50 : 1
          case "skipped": rank == 1 ? .infinity : 1
          case "all NaN": .nan
          case "zeros": 0
          case "now and then": rank == 3 && step % 6 == 0 ? 10 : Self.usual(step, rank)
          default: Self.usual(step, rank)
          }
        }
      )
    }
    #expect(ranks.life == [])
  }

  @Test("alerts of before the rule was switched off are resolved where they come from the store")
  func adoptedOff() throws {
    var ranks = try Ranks(8)
    for step in 0..<10 { ranks.feed(step) { $0 == 3 ? .nan : Self.usual(step, $0) } }
    let stored = try #require(ranks.alerts.last)
    var settings = RuleSettings(RankComparison.rule)
    settings.isEnabled = false
    var off = try Ranks(8, rules: RuleSet([settings]))
    off.comparison.adopt([stored])
    off.feed(10) { Self.usual(10, $0) }
    #expect(off.alerts.map(\.state) == [.resolved])
  }

  @Test("acknowledged and adopted alerts go on")
  func store() throws {
    var ranks = try Ranks(4)
    for step in 0..<2 { ranks.feed(step) { $0 == 2 ? .nan : 1 } }
    let alert = try #require(ranks.alerts.last)
    let change = ranks.comparison.acknowledge(alert.id, by: "ada", step: 2, at: Watch.time(2))
    #expect(change?.alert.state == .acknowledged)
    var fresh = try Ranks(4)
    fresh.comparison.adopt([try #require(change).alert])
    for step in 2..<30 { fresh.feed(step) { _ in 1 } }
    #expect(fresh.life == ["rank-2: resolved critical @21"])
  }
}
