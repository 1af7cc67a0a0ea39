import Detection
import Telemetry
import Testing

@Suite("gradient_noise")
struct GradientNoiseTests {
  private static let rule = "gradient_noise"

  /// Feeds norms of 1 with every tenth one `peak`.
  private func watch(
    steps: Int,
    batch: UInt64? = 8,
    change: (Int, inout StepReport) -> Void = { _, _ in },
    peak: (Int) -> Double
  ) throws -> Watch {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in 0..<steps {
      var report = net.report(UInt64(step))
      report.scalars.batchSize = batch
      report.scalars.globalNorm = step % 10 == 5 ? peak(step) : 1
      change(step, &report)
      watch.feed(report)
    }
    return watch
  }

  @Test("batches of 8 whose norm varies by 1.4 times its mean are info after 250 reports")
  func small() throws {
    // Mean 1.9, mean square 10.9: a deviation of 2.7.
    let watch = try watch(steps: 1400) { $0 < 400 ? 10 : 1 }
    let life = watch.life(Self.rule)
    #expect(life.prefix(2) == ["pending info @223", "firing info @248"])
    #expect(life.last?.hasPrefix("resolved info") == true)
    #expect(life.count == 3)
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .run)
    #expect(alert.remedies.first?.action.hasPrefix("accumulate gradients") == true)
  }

  @Test("larger and unknown batches must vary by twice the mean", arguments: [nil, 64])
  func large(_ batch: UInt64?) throws {
    #expect(try watch(steps: 400, batch: batch) { _ in 10 }.life(Self.rule) == [])
    let watch = try watch(steps: 400, batch: batch) { _ in 60 }
    #expect(watch.life(Self.rule).last == "firing info @248")
  }

  @Test("traps stay silent", arguments: ["few reports", "skipped", "steady", "new batch size"])
  func traps(_ trap: String) throws {
    let watch = try watch(
      steps: trap == "few reports" ? 190 : 380,
      change: { step, report in
        report.scalars.optimizerSkipped = trap == "skipped" && step % 10 == 5
        if trap == "new batch size" { report.scalars.batchSize = step < 190 ? 8 : 32 }
      },
      peak: { _ in trap == "steady" ? 1.5 : 10 }
    )
    #expect(watch.life(Self.rule) == [])
  }
}
