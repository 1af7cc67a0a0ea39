/// One histogram with bounds of the client's choice.
public struct ExplicitHistogram: Hashable, Sendable {
  /// The bounds, ascending: bucket i holds values from `bounds[i-1]` up to, not including, `bounds[i]`.
  public var bounds: [Double]
  /// `bounds.count + 1` counts; the first and the last bucket are open.
  public var counts: [UInt64]

  /// Makes a histogram; `counts` has one entry more than `bounds`.
  public init(bounds: [Double], counts: [UInt64]) {
    self.bounds = bounds
    self.counts = counts
  }
}
