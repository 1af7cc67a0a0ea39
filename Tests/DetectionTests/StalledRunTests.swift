import Detection
import Telemetry
import Testing

@Suite("stalled_run")
struct StalledRunTests {
  private static let rule = "stalled_run"

  /// A watch that has seen a report every `interval` seconds from second 0 on, and a tick at each.
  private func watch(reports: Int, interval: Double) throws -> (Watch, Net) {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in 0..<reports {
      let time = WallTime(clamping: Double(step) * interval)
      watch.note(watch.detector.observe(net.report(UInt64(step)), receivedAt: time))
      watch.note(watch.detector.tick(at: time))
    }
    return (watch, net)
  }

  @Test("60 s of silence warn, and the next report resolves")
  func silence() throws {
    var (watch, net) = try watch(reports: 10, interval: 1)
    watch.note(watch.detector.tick(at: WallTime(clamping: 69)))
    #expect(watch.log.isEmpty)
    watch.note(watch.detector.tick(at: WallTime(clamping: 70)))
    #expect(watch.life(Self.rule) == ["firing warning @9"])
    watch.note(watch.detector.observe(net.report(10), receivedAt: WallTime(clamping: 80)))
    #expect(watch.life(Self.rule).last == "resolved warning @10")
  }

  @Test("slow runs get ten times their interval")
  func slowRun() throws {
    var (watch, _) = try watch(reports: 10, interval: 30)
    watch.note(watch.detector.tick(at: WallTime(clamping: 270 + 299)))
    #expect(watch.log.isEmpty)
    watch.note(watch.detector.tick(at: WallTime(clamping: 270 + 301)))
    #expect(watch.life(Self.rule) == ["firing warning @9"])
  }

  @Test("a pause that ended by itself does not warn again")
  func learnedPause() throws {
    var (watch, net) = try watch(reports: 10, interval: 1)
    watch.note(watch.detector.tick(at: WallTime(clamping: 300)))
    #expect(watch.life(Self.rule).count == 1)
    for step in 10..<20 {
      let time = WallTime(clamping: 309 + Double(step))
      watch.note(watch.detector.observe(net.report(UInt64(step)), receivedAt: time))
    }
    watch.note(watch.detector.tick(at: WallTime(clamping: 328 + 310)))
    #expect(watch.life(Self.rule).count == 2)
  }

  @Test("nothing fires before the second report, or after the end")
  func edges() throws {
    var (young, _) = try watch(reports: 1, interval: 1)
    young.note(young.detector.tick(at: WallTime(clamping: 1e6)))
    #expect(young.log.isEmpty)
    var (ended, net) = try watch(reports: 10, interval: 1)
    ended.note(ended.detector.tick(at: WallTime(clamping: 100)))
    ended.note(ended.detector.finish(at: WallTime(clamping: 110)))
    #expect(ended.life(Self.rule) == ["firing warning @9", "resolved warning @9"])
    ended.note(ended.detector.tick(at: WallTime(clamping: 1000)))
    #expect(ended.life(Self.rule).count == 2)
    // Registered again, it runs again.
    for step in 10..<12 {
      let time = WallTime(clamping: 1990 + Double(step))
      ended.note(ended.detector.observe(net.report(UInt64(step)), receivedAt: time))
    }
    ended.note(ended.detector.tick(at: WallTime(clamping: 9000)))
    #expect(ended.life(Self.rule).last == "firing warning @11")
  }

  @Test("the end leaves the other alerts open, for they are the diagnosis")
  func endKeepsDiagnosis() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    watch.feed(net.report(0, loss: .nan))
    #expect(watch.detector.finish(at: Watch.time(1)).isEmpty)
    #expect(watch.open("non_finite_loss") != nil)
  }

  @Test("a collector that was down counts from its own first tick")
  func restart() throws {
    let (watch, net) = try watch(reports: 10, interval: 1)
    var restored = try Detector(
      run: RunID("run"),
      producer: ProducerID("rank-0"),
      model: net.model,
      restoring: watch.detector.snapshot()
    )
    #expect(restored.tick(at: WallTime(clamping: 5000)).isEmpty)
    #expect(restored.tick(at: WallTime(clamping: 5059)).isEmpty)
    #expect(restored.tick(at: WallTime(clamping: 5061)).count == 1)
  }
}
