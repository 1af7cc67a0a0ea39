import RunStore
import Telemetry
import Testing

@Suite("Retention")
struct RetentionTests {
  private let now = Samples.time(1_000_000)

  private func run(
    _ name: String,
    endedAgo: Double?,
    heardAgo: Double = 0,
    bytes: UInt64 = 10
  ) -> RunFootprint {
    RunFootprint(
      run: RunID(stored: name),
      project: "p",
      endedAt: endedAgo.map { Samples.time(1_000_000 - $0) },
      lastHeardAt: Samples.time(1_000_000 - heardAgo),
      reports: 1,
      bytes: bytes
    )
  }

  /// Names and limits, in order.
  private func excess(_ retention: Retention, _ runs: [RunFootprint]) -> [String] {
    retention.excess(of: runs, at: now).map { "\($0.footprint.run) \($0.limit)" }
  }

  @Test("no limit keeps everything")
  func none() {
    #expect(Retention().keepsEverything)
    #expect(excess(Retention(), [run("a", endedAgo: 9e5)]) == [])
  }

  @Test("runs that ended too long ago go, the oldest first; a run that is as old as allowed stays")
  func age() {
    let runs = [
      run("young", endedAgo: 5), run("old", endedAgo: 11), run("older", endedAgo: 12),
      run("just", endedAgo: 10), run("running", endedAgo: nil), run("future", endedAgo: -3),
    ]
    #expect(excess(Retention(maximumAge: 10), runs) == ["older age", "old age"])
    #expect(excess(Retention(maximumAge: 0), runs).count == 4)
  }

  @Test("runs in progress count, and stay")
  func running() {
    let runs = [
      run("a", endedAgo: nil, bytes: 100), run("b", endedAgo: nil), run("c", endedAgo: 1),
      run("d", endedAgo: 2),
    ]
    #expect(excess(Retention(maximumRuns: 3), runs) == ["d runs"])
    #expect(excess(Retention(maximumRuns: 0), runs) == ["d runs", "c runs"])
    #expect(excess(Retention(maximumBytes: 120), runs) == ["d bytes"])
    #expect(excess(Retention(maximumBytes: 0), runs) == ["d bytes", "c bytes"])
  }

  @Test("a run that nothing was heard of for a week ended with its last report")
  func silent() {
    let week = 7 * 86_400.0
    let runs = [
      run("waiting", endedAgo: nil, heardAgo: week), run("dead", endedAgo: nil, heardAgo: week + 1),
      run("ended", endedAgo: week + 2), run("late", endedAgo: week, heardAgo: week + 9),
    ]
    #expect(excess(Retention(maximumRuns: 1), runs) == ["ended runs", "dead runs", "late runs"])
    #expect(excess(Retention(maximumAge: week), runs) == ["ended age", "dead age"])
    let dead = Retention(maximumRuns: 2).excess(of: runs, at: now).last
    #expect(dead?.endedAt == Samples.time(1_000_000 - week - 1))
    #expect(dead?.footprint.endedAt == nil)
  }

  @Test("the first limit that a run is beyond is told, and what goes for one counts for the others")
  func together() {
    let runs = (1...6).map { run("r\($0)", endedAgo: Double($0) * 10) }
    let all = Retention(maximumAge: 55, maximumRuns: 4, maximumBytes: 25)
    #expect(excess(all, runs) == ["r6 age", "r5 runs", "r4 bytes", "r3 bytes"])
  }

  @Test("runs that ended at once go by name")
  func ties() {
    let runs = [run("b", endedAgo: 1), run("a", endedAgo: 1), run("c", endedAgo: 1)]
    #expect(excess(Retention(maximumRuns: 1), runs) == ["a runs", "b runs"])
  }
}
