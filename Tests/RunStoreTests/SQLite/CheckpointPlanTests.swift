import RunStore
import Testing

@Suite("SQLite: when the write-ahead log is moved")
struct CheckpointPlanTests {
  /// Commits to a log, of which as much is moved as the plan says and a reader lets it.
  private struct Log {
    var plan = CheckpointPlan(longLog: 1_024)
    var pages: Int32 = 0
    var moved: Int32 = 0
    /// The pages that a reader who began when there were no more keeps from being moved; `nil`: there is none.
    var pinned: Int32?
    /// The pages of the part that is being moved; `nil`: none is.
    var part: Int32?
    /// The most pages that a commit has moved itself.
    var longest: Int32 = 0
    /// The most pages that the log had.
    var most: Int32 = 0

    /// Commits some pages; returns whether it moved some, or waited until others were moved.
    mutating func commit(_ count: Int32) -> Bool {
      if moved == pages, pinned == nil { (pages, moved) = (0, 0) }
      pages += count
      most = max(most, pages)
      switch plan.committed(pages) {
      case .none: return false
      case .movePart:
        part = pages
        return false
      case .moveRest:
        end()
        let before = moved
        move(to: pages)
        longest = max(longest, moved - before)
        plan.movedRest(Int(moved))
        return moved > before
      }
    }

    /// Ends what is moved beside the commits.
    mutating func end() {
      guard let part else { return }
      move(to: part)
      self.part = nil
      plan.ended(moved: Int(moved))
    }

    private mutating func move(to end: Int32) { moved = max(moved, min(pinned ?? end, end)) }
  }

  @Test("commits beside which parts are moved begin the log anew when it is long")
  func ordinary() {
    var log = Log()
    for _ in 0..<1_000 {
      _ = log.commit(20)
      log.end()
    }
    #expect(log.most < 1_024 + 40)
    #expect(log.longest < 128)
  }

  @Test("a disk that is slower than the commits makes them wait, and bounds the log")
  func slowDisk() {
    var log = Log()
    var waits = 0
    for _ in 0..<10_000 {
      if log.commit(200) { waits += 1 }
      // Never done by itself.
    }
    #expect(waits > 10)
    #expect(log.most < 9 * 1_024)
    #expect(log.longest < 9 * 1_024)
  }

  @Test("what a long reader kept in the log is moved beside the commits when it has ended")
  func longReader() {
    var log = Log()
    _ = log.commit(20)
    log.end()
    log.pinned = 20
    for _ in 0..<10_000 {
      _ = log.commit(20)
      log.end()
    }
    log.pinned = nil
    // 2 GB are moved by now; meanwhile commits go on.
    var waits = 0
    for _ in 0..<400 where log.commit(20) { waits += 1 }
    #expect(waits == 0)
    log.end()
    for _ in 0..<1_000 {
      _ = log.commit(20)
      log.end()
    }
    #expect(log.longest < 9 * 1_024)
    #expect(log.pages < 9 * 1_024, "begun anew")
  }

  @Test("what a long reader kept in the log is not moved for ever on a slow disk")
  func longReaderOnSlowDisk() {
    var log = Log()
    log.pinned = 0
    for _ in 0..<10_000 {
      _ = log.commit(20)
      log.end()
    }
    log.pinned = nil
    for _ in 0..<30_000 { _ = log.commit(20) }
    #expect(log.most < 3 * 200_000)
    #expect(log.pages < 9 * 1_024, "begun anew")
  }
}
