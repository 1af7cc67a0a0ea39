/// One layer's activations on a batch, in five numbers.
public struct ActivationSummary: Hashable, Sendable {
  /// What an activation function does at its limits, which decides what can be said of its outputs.
  public enum Shape: Hashable, Sendable {
    /// Neither bounded nor zero on a range: linear, leaky ReLU, GELU.
    case unbounded
    /// Zero on a range of inputs, so that a unit can die: ReLU and its kin.
    case rectified
    /// Between two bounds, near which it is saturated: sigmoid (0 to 1), tanh (-1 to 1).
    case bounded(ClosedRange<Float>)
  }

  /// The mean of the finite activations; NaN if there are none.
  public let mean: Double
  /// The population standard deviation of the finite activations; NaN if there are none.
  public let std: Double
  /// The share of all activations that are exactly 0; NaN if there are no activations.
  public let zeroFraction: Double
  /// The share of all activations within 1 % of the range from one of its bounds.
  ///
  /// NaN for an activation function without bounds, and if there are no activations.
  public let saturatedFraction: Double
  /// The share of units that are 0 on the whole batch; NaN unless the activation function is
  /// rectified.
  public let deadUnitFraction: Double

  /// Summarizes a layer's output.
  ///
  /// - Parameters:
  ///   - elements: The activations, `[batch, units]`, row-major.
  ///   - unitCount: The number of units; `elements` is a multiple of it.
  ///   - shape: What the activation function does at its limits.
  public init(_ elements: UnsafeBufferPointer<Float>, unitCount: Int, shape: Shape) {
    precondition(
      unitCount > 0 && elements.count % unitCount == 0,
      "activations of \(unitCount) units: expected a multiple of them, found \(elements.count)"
    )
    let summary = GradientSummary(elements, takesHistogram: false)
    mean = summary.mean
    std = summary.std
    let count = Double(elements.count)
    zeroFraction = elements.isEmpty ? .nan : Double(summary.zeroCount) / count
    switch shape {
    case .unbounded:
      saturatedFraction = .nan
      deadUnitFraction = .nan
    case .bounded(let range):
      let margin = Self.saturationMargin * (range.upperBound - range.lowerBound)
      let low = range.lowerBound + margin
      let high = range.upperBound - margin
      var saturated = 0
      for element in elements where element < low || element > high { saturated += 1 }
      saturatedFraction = elements.isEmpty ? .nan : Double(saturated) / count
      deadUnitFraction = .nan
    case .rectified:
      saturatedFraction = .nan
      deadUnitFraction =
        elements.isEmpty ? .nan : Self.deadUnits(elements, unitCount) / Double(unitCount)
    }
  }

  /// Summarizes a layer's output.
  public init(_ elements: [Float], unitCount: Int, shape: Shape) {
    self = elements.withUnsafeBufferPointer {
      ActivationSummary($0, unitCount: unitCount, shape: shape)
    }
  }

  /// The share of the range that counts as being at its bound.
  private static let saturationMargin: Float = 0.01

  private static func deadUnits(_ elements: UnsafeBufferPointer<Float>, _ unitCount: Int) -> Double
  {
    // All bits that a unit ever had but the sign: 0 only if all its outputs were. Without a branch, many at a time.
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: unitCount) { bits in
      bits.initialize(repeating: 0)
      var row = 0
      while row < elements.count {
        for unit in 0..<unitCount { bits[unit] |= elements[row + unit].bitPattern & 0x7fff_ffff }
        row += unitCount
      }
      return Double(bits.count { $0 == 0 })
    }
  }
}
