import Query
import RunStore
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

/// A transition that only its cursor tells from others.
func transition(_ cursor: Int64) -> StoredTransition { transition(cursor, of: "run-1") }

/// A transition that only its cursor and its run tell from others.
func transition(_ cursor: Int64, of run: String) -> StoredTransition {
  let alert = Alert.plain(
    run: RunID(stored: run),
    producer: ProducerID(stored: "p0"),
    rule: "dead_layer"
  )
  return StoredTransition(
    cursor: AlertCursor(cursor),
    project: "tests",
    transition: AlertTransition(alert: alert, from: nil, step: 0, at: WallTime(clamping: 1))
  )
}

extension AlertFeed {
  /// The cursors after a cursor; `nil` if the reader is behind.
  func cursors(after cursor: Int64, limit: Int = .max / 2) -> [Int64]? {
    switch read(after: AlertCursor(cursor), limit: limit) {
    case .transitions(let transitions): transitions.map(\.cursor.rawValue)
    case .behind: nil
    }
  }

  func publish(_ cursors: ClosedRange<Int64>) { publish(cursors.map(transition)) }
}

@Suite("The feed of alerts")
struct AlertFeedTests {
  @Test("a new feed has nothing after its cursor, and what is before it is in the store")
  func new() {
    let feed = AlertFeed(after: AlertCursor(10), capacity: 4)
    #expect(feed.last == AlertCursor(10))
    #expect(feed.cursors(after: 10) == [])
    #expect(feed.cursors(after: 11) == [])
    #expect(feed.cursors(after: 9) == nil)
    feed.publish([])
    #expect(feed.last == AlertCursor(10))
  }

  @Test("a deleted run's transitions leave the feed, others stay in order")
  func forget() {
    let feed = AlertFeed(after: .start, capacity: 6)
    // The ring has gone round: the oldest stands in the middle.
    feed.publish((1...8).map { transition($0, of: $0 % 3 == 2 ? "gone" : "run-1") })
    feed.forget(RunID(stored: "gone"))
    #expect(feed.cursors(after: 1) == nil)
    #expect(feed.cursors(after: 2) == [3, 4, 6, 7])
    #expect(feed.cursors(after: 4, limit: 1) == [6])
    #expect(feed.cursors(after: 7) == [])
    #expect(feed.last == AlertCursor(8))
    feed.publish(9...11)
    #expect(feed.cursors(after: 2) == nil)
    #expect(feed.cursors(after: 3) == [4, 6, 7, 9, 10, 11])
    feed.forget(RunID(stored: "run-1"))
    #expect(feed.cursors(after: 3) == [])
    feed.publish(12...12)
    #expect(feed.cursors(after: 3) == [12])
  }

  @Test("transitions are read in order, from any cursor")
  func order() {
    let feed = AlertFeed(after: .start, capacity: 8)
    feed.publish(1...3)
    feed.publish(4...5)
    #expect(feed.last == AlertCursor(5))
    for cursor in Int64(0)...5 {
      #expect(feed.cursors(after: cursor) == (0..<5 - cursor).map { cursor + 1 + $0 })
    }
  }

  @Test("cursors may skip numbers, and a reader may stand between two")
  func sparse() {
    let feed = AlertFeed(after: AlertCursor(100), capacity: 3)
    feed.publish([110, 120, 130, 140].map(transition))
    #expect(feed.cursors(after: 109) == nil)
    #expect(feed.cursors(after: 110) == [120, 130, 140])
    #expect(feed.cursors(after: 115) == [120, 130, 140])
    #expect(feed.cursors(after: 125) == [130, 140])
    #expect(feed.cursors(after: 139) == [140])
  }

  @Test("when the ring is full the oldest leave it, and readers there are behind")
  func overflow() {
    // Every length up to three rounds of the ring, so that its head stands everywhere.
    for published in Int64(1)...12 {
      let feed = AlertFeed(after: .start, capacity: 4)
      for cursor in 1...published { feed.publish(cursor...cursor) }
      let oldest = max(0, published - 4)
      for cursor in 0...published {
        let expected = cursor < oldest ? nil : (0..<published - cursor).map { cursor + 1 + $0 }
        #expect(feed.cursors(after: cursor) == expected, "\(published) published, after \(cursor)")
      }
    }
  }

  @Test("one publication may be larger than the ring")
  func largePublication() {
    let feed = AlertFeed(after: .start, capacity: 3)
    feed.publish(1...10)
    #expect(feed.cursors(after: 6) == nil)
    #expect(feed.cursors(after: 7) == [8, 9, 10])
  }

  @Test("a reading has at most as many transitions as asked for, the oldest first")
  func limit() {
    let feed = AlertFeed(after: .start, capacity: 4)
    feed.publish(1...6)
    #expect(feed.cursors(after: 2, limit: 2) == [3, 4])
    #expect(feed.cursors(after: 4, limit: 2) == [5, 6])
    #expect(feed.cursors(after: 5, limit: 2) == [6])
    #expect(feed.cursors(after: 2, limit: 0) == [])
  }

  @Test("every listener is woken once a publication, until it ends")
  func listeners() {
    let feed = AlertFeed(after: .start, capacity: 4)
    let (first, second) = (Counter(), Counter())
    let firstListener = feed.listen { first.increment() }
    let secondListener = feed.listen { second.increment() }
    #expect(firstListener != secondListener)
    feed.publish(1...3)
    #expect((first.value, second.value) == (1, 1))
    feed.publish([])
    #expect((first.value, second.value) == (1, 1))
    feed.end(firstListener)
    feed.end(firstListener)
    feed.publish(4...4)
    #expect((first.value, second.value) == (1, 2))
    let third = Counter()
    _ = feed.listen { third.increment() }
    feed.end(secondListener)
    feed.publish(5...5)
    #expect((first.value, second.value, third.value) == (1, 2, 1))
  }

  @Test("a listener that is woken finds what was published, and may end itself")
  func wakeReads() {
    let feed = AlertFeed(after: .start, capacity: 4)
    let found = Mutex<[Int64]>([])
    let listener = Mutex<AlertFeed.Listener?>(nil)
    let own = feed.listen {
      found.withLock { $0 += feed.cursors(after: 0) ?? [] }
      listener.withLock { $0.map(feed.end) }
    }
    listener.withLock { $0 = own }
    feed.publish(1...2)
    feed.publish(3...3)
    #expect(found.withLock { $0 } == [1, 2])
  }
}

/// A number that closures on any thread raise.
final class Counter: Sendable {
  private let count = Mutex(0)

  var value: Int { count.withLock { $0 } }

  func increment() { count.withLock { $0 += 1 } }
}
