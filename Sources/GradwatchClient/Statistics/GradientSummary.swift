public import Telemetry

/// One tensor's gradient at one step, in a dozen numbers and a histogram.
///
/// Everything is taken in one pass over the elements. Statistics are of the finite elements and are
/// summed in `Double`; NaN and infinities are counted, never summed. If there is no finite element
/// (an empty tensor, or one that is all NaN), the six statistics are NaN. Units: loss per parameter
/// unit.
public struct GradientSummary: Hashable, Sendable {
  /// The number of elements, finite or not.
  public internal(set) var elementCount: UInt64 = 0
  /// The L2 norm.
  ///
  /// A column holds it as `Float`, where a norm above 3.4e38 is +Inf.
  public internal(set) var norm = Double.nan
  /// The mean.
  public internal(set) var mean = Double.nan
  /// The mean magnitude.
  public internal(set) var meanAbs = Double.nan
  /// The population standard deviation; exactly 0 if all finite elements are equal.
  ///
  /// From the sums of x and x²: six digits are right up to a mean of 30,000 standard deviations.
  public internal(set) var std = Double.nan
  /// The smallest finite element.
  public internal(set) var min = Double.nan
  /// The largest finite element.
  public internal(set) var max = Double.nan
  /// The number of elements that are exactly 0, of either sign.
  public internal(set) var zeroCount: UInt64 = 0
  /// The number of NaN elements.
  public internal(set) var nanCount: UInt64 = 0
  /// The number of elements that are +Inf.
  public internal(set) var positiveInfinityCount: UInt64 = 0
  /// The number of elements that are -Inf.
  public internal(set) var negativeInfinityCount: UInt64 = 0
  /// The histogram of the finite elements at scale 0; zeros and subnormals are its zero count.
  ///
  /// `nil` if none was asked for.
  public internal(set) var histogram: ExponentialHistogram?

  /// Summarizes a gradient.
  ///
  /// Measured in a release build on one core of a 2.5 GHz Xeon, 11.6 million elements: 1.2 ns an
  /// element; with a histogram 1.85 ns, and 1.2 µs a tensor.
  ///
  /// - Parameters:
  ///   - elements: The gradient, flattened in any order.
  ///   - takesHistogram: Whether to count the histogram too.
  public init(_ elements: UnsafeBufferPointer<Float>, takesHistogram: Bool = true) {
    if takesHistogram {
      self = FloatKernel.withTally(elementCount: elements.count) { tally in
        let sums = FloatKernel.sums(of: elements, tally: tally)
        return GradientSummary(sums, histogram: tally.histogram())
      }
    } else {
      self.init(FloatKernel.sums(of: elements, tally: nil), histogram: nil)
    }
  }

  /// Summarizes a gradient that is kept in double precision.
  ///
  /// Subnormals are those of `Double`, so that every other element has a bucket.
  public init(_ elements: UnsafeBufferPointer<Double>, takesHistogram: Bool = true) {
    self = ExponentTally.with(
      exponentBits: 11,
      significandBits: 52,
      bias: 1023,
      elementCount: 0
    ) { tally in
      var sums = ElementSums()
      for element in elements {
        sums.add(element)
        if takesHistogram { tally.count(element.bitPattern) }
      }
      return GradientSummary(sums, histogram: takesHistogram ? tally.histogram() : nil)
    }
  }

  /// Summarizes a gradient that comes as a sequence; it is copied unless its storage is contiguous.
  public init(_ elements: some Sequence<Float>, takesHistogram: Bool = true) {
    self =
      elements.withContiguousStorageIfAvailable {
        GradientSummary($0, takesHistogram: takesHistogram)
      }
      ?? Array(elements).withUnsafeBufferPointer {
        GradientSummary($0, takesHistogram: takesHistogram)
      }
  }

  /// Summarizes a gradient that comes as a sequence; it is copied unless its storage is contiguous.
  public init(_ elements: some Sequence<Double>, takesHistogram: Bool = true) {
    self =
      elements.withContiguousStorageIfAvailable {
        GradientSummary($0, takesHistogram: takesHistogram)
      }
      ?? Array(elements).withUnsafeBufferPointer {
        GradientSummary($0, takesHistogram: takesHistogram)
      }
  }

  private init(_ sums: ElementSums, histogram: ExponentialHistogram?) {
    elementCount = sums.elementCount
    zeroCount = sums.zeroCount
    nanCount = sums.nanCount
    positiveInfinityCount = sums.positiveInfinityCount
    negativeInfinityCount = sums.negativeInfinityCount
    self.histogram = histogram
    guard sums.finiteCount > 0 else { return }
    let count = Double(sums.finiteCount)
    norm = sums.squares.squareRoot()
    mean = sums.sum / count
    meanAbs = sums.magnitudes / count
    min = sums.min
    max = sums.max
    // Rounding may leave a variance that is a little below 0, or above it when all elements are
    // equal.
    std = min == max ? 0 : Swift.max(0, sums.squares / count - mean * mean).squareRoot()
  }
}
