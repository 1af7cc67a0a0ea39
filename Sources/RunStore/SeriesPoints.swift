/// Points of one series, column by column; each covers the steps from `steps[i]` to `lastSteps[i]`.
///
/// A statistic that was not asked for is empty.
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

  /// What a point says of the measurements in it, besides how many there are.
  public enum Statistic: UInt8, Sendable, CaseIterable {
    /// The largest finite value.
    case max
    /// The smallest finite value.
    case min
    /// The mean of the finite values.
    case mean
    /// The last value, NaN and infinities included.
    case last
  }

  /// Some statistics.
  public struct Statistics: OptionSet, Sendable, Hashable {
    /// The largest finite value.
    public static let max = Self(.max)
    /// The smallest finite value.
    public static let min = Self(.min)
    /// The mean of the finite values.
    public static let mean = Self(.mean)
    /// The last value.
    public static let last = Self(.last)
    /// Every statistic.
    public static let all: Self = [.max, .min, .mean, .last]

    /// A bit for each statistic, at the place of its raw value.
    public let rawValue: UInt8

    /// Makes a set of such bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Makes a set of one statistic.
    public init(_ statistic: Statistic) { rawValue = 1 << statistic.rawValue }
  }

  /// Makes an empty series.
  public init() {}

  /// The column of one statistic.
  public subscript(statistic: Statistic) -> [Double] {
    switch statistic {
    case .max: max
    case .min: min
    case .mean: mean
    case .last: last
    }
  }
}
