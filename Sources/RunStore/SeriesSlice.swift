/// Consecutive points of one series.
///
/// Every metric is given as Double: floats widen exactly, counts up to 2^53 are exact.
public struct SeriesSlice: Sendable, Hashable {
  /// The steps, ascending.
  public var steps: [UInt64]
  /// A value for each step; NaN and infinities are data.
  public var values: [Double]

  /// Makes a slice; both arrays are equally long.
  public init(steps: [UInt64] = [], values: [Double] = []) {
    self.steps = steps
    self.values = values
  }
}
