/// The first values of a series, from which a baseline begins.
///
/// One of them may be extreme: weights that multiply make a first loss of 1e22, and an average would
/// remember it for hundreds of reports and hide all that follows. So a baseline that is more than ten times
/// the median of the first values when these are over begins anew, from the median. Healthy runs, whose
/// losses fall and whose norms are largest at first, have averages below that.
struct FirstValues: Sendable {
  /// Values that make up the start.
  private static let capacity = 8
  private static let mostOverMedian = 10.0

  private var values: [Double] = []

  /// Takes the next value.
  ///
  /// - Returns: The median, once, when the start is over; `nil` before and after, and if it is 0.
  mutating func take(_ value: Double) -> Double? {
    guard values.count < Self.capacity else { return nil }
    values.append(value)
    guard values.count == Self.capacity else { return nil }
    let median = values.sorted()[values.count / 2]
    // Nobody needs them any more, and zeros take no room in a snapshot.
    values = Array(repeating: 0, count: Self.capacity)
    return median > 0 ? median : nil
  }

  /// Whether a baseline holds an extreme value, so that it must begin anew from the median.
  static func isExtreme(_ baseline: Double, besideMedian median: Double) -> Bool {
    baseline > mostOverMedian * median
  }

  /// Visits the values.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&values, maximum: Self.capacity, placeholder: 0) {
      (coder, value) throws(SnapshotError) in try coder.code(&value)
    }
  }
}
