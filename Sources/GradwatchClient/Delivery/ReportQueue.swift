/// The reports that are not acked yet, and which of them are under way.
///
/// A pure value. A report's sequence number is its place: the first in the queue has
/// ``firstSequence``, the next one more, so that numbers are given only to reports that entered,
/// and have no gaps. While a stream is open numbers stay as they are; ``restart(after:)`` gives
/// them anew to what the collector does not have.
///
/// Bounded in reports and in bytes. A report that does not fit is dropped whole, the newest first,
/// and the next one that fits tells the collector how many were dropped.
package struct ReportQueue: Sendable {
  /// One report in the queue.
  package struct Entry: Sendable {
    /// The report.
    package let pending: PendingReport
    /// Steps that were dropped right before it.
    package let droppedSteps: UInt64
    /// Whether the collector said that it will never take it.
    package fileprivate(set) var isRefused = false
    /// Whether it was found too large for a message.
    package var isReduced = false
  }

  private let maximumCount: Int
  private let maximumBytes: Int
  /// The entries from `head` on are the queue; those before it are `nil` and wait for removal.
  private var entries: [Entry?] = []
  private var head = 0
  private var bytes = 0
  private var sentBytes = 0
  private var droppedSinceLast: UInt64 = 0

  /// The number of the first report in the queue; `nil` before a stream was ever open.
  package private(set) var firstSequence: UInt64?
  /// How many from the first on were sent and not acked; on an interrupted stream the collector may
  /// or may not have them.
  package private(set) var sentCount = 0
  /// How many in the queue were refused, and wait for the ack that covers them.
  package private(set) var refusedCount = 0

  /// Makes an empty queue.
  package init(maximumCount: Int, maximumBytes: Int) {
    self.maximumCount = maximumCount
    self.maximumBytes = maximumBytes
  }

  /// The number of reports in it.
  package var count: Int { entries.count - head }

  /// Whether a report of so many bytes fits.
  package func hasRoom(for bytes: Int) -> Bool {
    count < maximumCount && self.bytes + bytes <= maximumBytes
  }

  /// Takes a report at the end; returns `false` if it was dropped.
  package mutating func append(_ pending: PendingReport) -> Bool {
    guard hasRoom(for: pending.bytes) else {
      droppedSinceLast += 1
      return false
    }
    entries.append(Entry(pending: pending, droppedSteps: droppedSinceLast))
    droppedSinceLast = 0
    bytes += pending.bytes
    return true
  }

  /// The next report to send and its number, if fewer than `credits` are under way and they hold
  /// fewer than `maximumBytes`; one alone may be larger.
  package mutating func takeNext(credits: Int, maximumBytes: Int) -> (UInt64, Entry)? {
    guard let firstSequence, sentCount < credits, head + sentCount < entries.count,
      let entry = entries[head + sentCount],
      sentCount == 0 || sentBytes + entry.pending.bytes <= maximumBytes
    else { return nil }
    defer {
      sentCount += 1
      sentBytes += entry.pending.bytes
    }
    return (firstSequence &+ UInt64(sentCount), entry)
  }

  /// Marks a report that was sent as refused, or as reduced.
  ///
  /// - Returns: The entry as it was before; `nil` if no report under way has this number.
  package mutating func mark(_ sequence: UInt64, _ change: Mark) -> Entry? {
    guard let firstSequence, sequence >= firstSequence,
      sequence - firstSequence < UInt64(sentCount)
    else { return nil }
    let index = head + Int(sequence - firstSequence)
    guard let before = entries[index] else { return nil }
    switch change {
    case .refused:
      if !before.isRefused { refusedCount += 1 }
      entries[index]?.isRefused = true
    case .reduced: entries[index]?.isReduced = true
    }
    return before
  }

  /// What can be said of a report that was sent.
  package enum Mark: Sendable {
    /// The collector will never take it.
    case refused
    /// It is larger than a message may be.
    case reduced
  }

  /// Removes all up to `sequence`, which the collector has made durable.
  ///
  /// - Returns: What was removed, to be released outside of a lock; `nil` if one that was never
  ///   sent is said to be durable.
  package mutating func acknowledge(through sequence: UInt64) -> [Entry]? {
    guard let firstSequence, sequence >= firstSequence else { return [] }
    guard sequence - firstSequence < UInt64(sentCount) else { return nil }
    return removeFirst(Int(sequence - firstSequence) + 1)
  }

  /// Goes back on an open stream: `expected` is the next one to send.
  ///
  /// Nothing is removed: what comes before it was accepted, and is not durable yet.
  ///
  /// - Returns: Whether a report with this number, or the one before it, is under way.
  package mutating func goBack(to expected: UInt64) -> Bool {
    guard let firstSequence, expected >= firstSequence,
      expected - firstSequence <= UInt64(sentCount)
    else { return false }
    sentCount = Int(expected - firstSequence)
    sentBytes = entries[head..<head + sentCount].reduce(0) { $0 + ($1?.pending.bytes ?? 0) }
    return true
  }

  /// Goes on from what a collector says that it has, as a stream opens.
  ///
  /// What was under way up to `last` is durable and is removed, and so is what was refused. The
  /// rest, in order, is numbered from `last` + 1, whatever its numbers were: a collector that lost
  /// its database expects lower ones, and one whose numbers another process used expects higher
  /// ones.
  ///
  /// - Returns: What was removed, to be released outside of a lock.
  package mutating func restart(after last: UInt64) -> [Entry] {
    var removed: [Entry] = []
    if let firstSequence, last >= firstSequence {
      removed = removeFirst(Int(min(last - firstSequence &+ 1, UInt64(sentCount))))
    }
    if refusedCount > 0 {
      let refused = entries[head...].compactMap { $0 }.filter(\.isRefused)
      entries.removeAll { $0?.isRefused ?? false }
      for entry in refused { bytes -= entry.pending.bytes }
      refusedCount = 0
      removed += refused
    }
    firstSequence = last &+ 1
    sentCount = 0
    sentBytes = 0
    return removed
  }

  /// Empties the queue; whatever is in it is given up.
  package mutating func removeAll() -> [Entry] { removeFirst(count) }

  private mutating func removeFirst(_ number: Int) -> [Entry] {
    var removed: [Entry] = []
    removed.reserveCapacity(number)
    for index in head..<head + number {
      guard let entry = entries[index] else { continue }
      removed.append(entry)
      entries[index] = nil
      bytes -= entry.pending.bytes
      if removed.count <= sentCount { sentBytes -= entry.pending.bytes }
      if entry.isRefused { refusedCount -= 1 }
    }
    head += number
    sentCount = max(0, sentCount - number)
    firstSequence = firstSequence.map { $0 &+ UInt64(number) }
    // Half of the storage is behind the head: each entry is moved once for every entry removed.
    if head >= 64, 2 * head >= entries.count {
      entries.removeFirst(head)
      head = 0
    }
    return removed
  }
}
