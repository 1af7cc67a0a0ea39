import RunStore
import Telemetry

/// One series, read step by step beside others, a page in memory at a time.
struct SeriesCursor: Sendable {
  private let metric: Metric
  private let index: UInt32
  private let pageSize: Int
  private var page = SeriesSlice()
  private var position = 0
  private var isAtEnd = false

  /// Starts before the first measurement.
  init(_ metric: Metric, of index: UInt32, pageSize: Int) {
    self.metric = metric
    self.index = index
    self.pageSize = pageSize
  }

  /// The value at a step; `nil` if it was not measured there.
  ///
  /// - Parameters:
  ///   - step: The step; it ascends from call to call.
  ///   - last: The last step to read, the same in all calls.
  ///   - reader: The run.
  /// - Returns: The value.
  /// - Throws: ``QueryError`` if the store can't read.
  mutating func value(
    at step: UInt64,
    last: UInt64,
    from reader: borrowing RunReader
  ) throws(QueryError) -> Double? {
    while true {
      while position < page.steps.count, page.steps[position] < step { position += 1 }
      if position < page.steps.count {
        return page.steps[position] == step ? page.values[position] : nil
      }
      guard !isAtEnd, step <= last else { return nil }
      page = try reader.page(metric, of: index, steps: step...last, size: pageSize)
      position = 0
      isAtEnd = page.steps.isEmpty
    }
  }
}
