/// Points of one series, column by column; each covers the steps from `steps[i]` to `lastSteps[i]`.
public struct SeriesPoints: Sendable, Hashable {
  /// The first step of each point, ascending.
  public var steps: [UInt64] = []
  /// The last step of each point.
  public var lastSteps: [UInt64] = []
  /// The smallest finite value; NaN if there was none.
  public var min: [Double] = []
  /// The largest finite value; NaN if there was none.
  public var max: [Double] = []
  /// The mean of the finite values; NaN if there was none.
  public var mean: [Double] = []
  /// The last value, whatever it is.
  public var last: [Double] = []
  /// How many measurements the point covers.
  public var count: [UInt64] = []
  /// How many of them were NaN or infinite.
  public var nonFiniteCount: [UInt64] = []

  /// Makes an empty series.
  public init() {}
}
