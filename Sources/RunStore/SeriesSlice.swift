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

  /// The same points in slices of up to `size`; none of an empty one.
  public func parts(of size: Int) -> [SeriesSlice] {
    guard steps.count > size else { return steps.isEmpty ? [] : [self] }
    return stride(from: 0, to: steps.count, by: size).map { start in
      let places = start..<Swift.min(start + size, steps.count)
      return SeriesSlice(steps: Array(steps[places]), values: Array(values[places]))
    }
  }
}
