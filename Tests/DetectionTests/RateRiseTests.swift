import Detection
import Telemetry
import Testing

@Suite("a learning rate that was raised at once")
struct RateRiseTests {
  private static let rule = "loss_spike"

  /// The alert on a loss that jumps at step 100.
  private func alert(
    _ rule: String = rule,
    rate: (Int) -> Double
  ) throws -> Alert {
    let watch = try Watch(
      steps: 120,
      change: { $1.scalars.learningRate = rate($0) },
      loss: { $0 == 100 ? 5 : 1 + 0.01 * Double($0 % 3) }
    )
    return try #require(watch.alerts(rule).first)
  }

  @Test("comes first in the cause and in what to try, for what begins soon after")
  func soonAfter() throws {
    let alert = try alert { $0 < 98 ? 0.001 : 0.1 }
    #expect(
      alert.cause.hasPrefix(
        "the learning rate rose from 0.001 to 0.1 at step 98, and this began 2 steps later; an odd "
          + "batch"
      )
    )
    #expect(alert.remedies.first?.action == "set the learning rate back to 0.001")
    #expect(alert.remedies.first?.reason == "it was raised 100 times at step 98")
    #expect(alert.evidence.facts["learning_rate_before"] == "0.001")
    #expect(alert.evidence.facts["learning_rate_raised_at"] == "98")
    #expect(alert.remedies.dropFirst().first?.action.hasPrefix("look at the batch") == true)
  }

  @Test(
    "is no matter long before, if it fell, or if it rose as a warm-up does",
    arguments: [0, 1, 2]
  )
  func other(course: Int) throws {
    let alert = try alert { step in
      switch course {
      case 0: step < 40 ? 0.001 : 0.1
      case 1: step < 98 ? 0.1 : 0.001
      default: 0.001 * Double(step + 1)
      }
    }
    #expect(alert.cause.hasPrefix("an odd batch"))
    #expect(alert.remedies.first?.action.hasPrefix("look at the batch") == true)
  }

  @Test("is forgotten by a job that goes back before it")
  func rewound() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    func feed(_ steps: Range<UInt64>, spike: UInt64, rate: (UInt64) -> Double) {
      for step in steps {
        var report = net.report(step, loss: step == spike ? 5 : 1 + 0.01 * Double(step % 3))
        report.scalars.learningRate = rate(step)
        watch.feed(report)
      }
    }
    feed(0..<100, spike: 140) { $0 < 98 ? 0.001 : 0.1 }
    watch.note(watch.detector.rewind(to: 60, at: Watch.time(100)))
    feed(60..<145, spike: 140) { _ in 0.001 }
    #expect(watch.alerts(Self.rule).first?.cause.hasPrefix("an odd batch") == true)
  }

  @Test("is known after a snapshot")
  func snapshot() throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    for step in 0..<100 as Range<UInt64> {
      var report = net.report(step, loss: 1 + 0.01 * Double(step % 3))
      report.scalars.learningRate = step < 98 ? 0.001 : 0.1
      watch.feed(report)
    }
    watch.detector = try Detector(
      run: try RunID("run"),
      producer: try ProducerID("rank-0"),
      model: net.model,
      restoring: watch.detector.snapshot()
    )
    var report = net.report(100, loss: 5)
    report.scalars.learningRate = 0.1
    watch.feed(report)
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.remedies.first?.action == "set the learning rate back to 0.001")
  }
}
