/// In which columns the counts of some histograms stand, if there is one for each bucket of each sign.
///
/// A column has a value of each histogram that has its bucket, in their order. Neighbours in time have about as many elements in
/// a bucket, so a column is narrow where a histogram would be wide.
struct BucketLayout {
  /// The columns of one histogram's counts, in order.
  struct Histogram: Equatable {
    var positive: Range<Int>
    var negative: Range<Int>
  }

  /// The buckets of one sign, histogram by histogram.
  struct Side {
    /// The index of the first bucket; where there is none, of no meaning.
    var offsets: [Int32]
    /// The number of buckets.
    var lengths: [UInt32]

    /// The number of all buckets.
    var total: Int { lengths.reduce(0) { $0 + Int($1) } }
  }

  /// The histograms.
  private(set) var histograms: [Histogram] = []
  /// The number of columns.
  private(set) var columnCount = 0
  /// Whether a column is a bucket's.
  let isAligned: Bool

  /// Lays columns out.
  ///
  /// - Parameters:
  ///   - positive: The buckets of positive elements.
  ///   - negative: Those of negative elements, of as many histograms.
  ///   - isAligned: Whether a column is a bucket's; else it is that of the first, second, … bucket of each histogram.
  init(_ positive: Side, _ negative: Side, isAligned: Bool) {
    self.isAligned = isAligned
    histograms.reserveCapacity(positive.lengths.count)
    var end = 0
    let first = Self.first(of: positive, isAligned)
    for (offset, length) in zip(positive.offsets, positive.lengths) {
      let start = length == 0 || !isAligned ? 0 : Int(offset) - first
      histograms.append(Histogram(positive: start..<start + Int(length), negative: 0..<0))
      end = Swift.max(end, start + Int(length))
    }
    columnCount = end
    let firstNegative = Self.first(of: negative, isAligned)
    for (index, length) in negative.lengths.enumerated() {
      let offset = Int(negative.offsets[index])
      let start = end + (length == 0 || !isAligned ? 0 : offset - firstNegative)
      histograms[index].negative = start..<start + Int(length)
      columnCount = Swift.max(columnCount, start + Int(length))
    }
  }

  /// Lays out histograms with bounds of the client's choice, of as many counts each.
  init(explicit lengths: [UInt32]) {
    let none = [Int32](repeating: 0, count: lengths.count)
    let negative = [UInt32](repeating: 0, count: lengths.count)
    self.init(
      Side(offsets: none, lengths: lengths),
      Side(offsets: none, lengths: negative),
      isAligned: false
    )
  }

  /// Lays columns out for writing: aligned, unless buckets lie so far apart that most columns would be empty.
  init(narrowest positive: Side, _ negative: Side) {
    self.init(positive, negative, isAligned: true)
    if columnCount > 2 * (positive.total + negative.total) {
      self.init(positive, negative, isAligned: false)
    }
  }

  /// Whether every histogram has a count in every column.
  var isFull: Bool {
    histograms.allSatisfy { $0.positive.count + $0.negative.count == columnCount }
  }

  /// For each column, how many histograms have a count in it.
  func valueCounts() -> [Int] {
    var counts = [Int](repeating: 0, count: columnCount + 1)
    for histogram in histograms {
      for columns in [histogram.positive, histogram.negative] {
        counts[columns.lowerBound] += 1
        counts[columns.upperBound] -= 1
      }
    }
    for column in counts.indices.dropFirst() { counts[column] += counts[column - 1] }
    counts.removeLast()
    return counts
  }

  private static func first(of side: Side, _ isAligned: Bool) -> Int {
    guard isAligned else { return 0 }
    return Int(zip(side.offsets, side.lengths).lazy.filter { $1 > 0 }.map(\.0).min() ?? 0)
  }
}
