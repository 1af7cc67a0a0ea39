import Query
import RunStore
import TelemetryTesting
import Testing

// The time limit ends readers that wait for what a broken feed has lost; no test waits for time.
@Suite("The feed of alerts, from many threads", .timeLimit(.minutes(1)))
struct AlertFeedConcurrencyTests {
  private static let count: Int64 = 5000

  private static func publishAll(to feed: AlertFeed, seed: UInt64) async {
    var generator = SeededGenerator(seed: seed)
    var next: Int64 = 1
    while next <= count {
      let last = min(count, next + .random(in: 0...6, using: &generator))
      feed.publish(next...last)
      next = last + 1
      await Task.yield()
    }
  }

  @Test("readers beside a publisher each read every transition once, in order")
  func everyReader() async {
    let feed = AlertFeed(after: .start, capacity: Int(Self.count))
    let readings = await withTaskGroup(of: [Int64]?.self) { group in
      group.addTask {
        await Self.publishAll(to: feed, seed: 1)
        return nil
      }
      for reader in 0..<4 {
        group.addTask {
          var read: [Int64] = []
          while read.last != Self.count, read.count < Self.count, !Task.isCancelled {
            read += feed.cursors(after: read.last ?? 0, limit: 1 + reader * 10) ?? []
            await Task.yield()
          }
          return read
        }
      }
      return await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
    }
    #expect(readings.count == 4)
    for reading in readings { #expect(reading == Array(1...Self.count)) }
  }

  @Test("a reader of a small ring misses transitions only where it is told so")
  func smallRing() async {
    let feed = AlertFeed(after: .start, capacity: 3)
    let missing = await withTaskGroup(of: Int64.self) { group in
      group.addTask {
        await Self.publishAll(to: feed, seed: 2)
        return 0
      }
      for _ in 0..<4 {
        group.addTask {
          var cursor: Int64 = 0
          var unannounced: Int64 = 0
          while cursor < Self.count, unannounced == 0, !Task.isCancelled {
            if let cursors = feed.cursors(after: cursor) {
              for next in cursors {
                unannounced += next - cursor - 1
                cursor = next
              }
            } else {
              // What is behind the ring would be read from the store.
              cursor = feed.last.rawValue
            }
            await Task.yield()
          }
          return unannounced
        }
      }
      return await group.reduce(into: [Int64]()) { $0.append($1) }
    }
    #expect(missing == [0, 0, 0, 0, 0])
  }

  @Test("listeners come and go beside a publisher, and one that stays is woken every time")
  func listeners() async {
    let feed = AlertFeed(after: .start, capacity: 3)
    let woken = Counter()
    _ = feed.listen { woken.increment() }
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for cursor in 1...Self.count { feed.publish(cursor...cursor) }
      }
      for _ in 0..<3 {
        group.addTask {
          for _ in 0..<1000 { feed.end(feed.listen {}) }
        }
      }
    }
    #expect(woken.value == Int(Self.count))
    #expect(feed.last.rawValue == Self.count)
  }
}
