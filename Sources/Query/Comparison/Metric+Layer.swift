import Telemetry

extension Metric {
  /// The value of a layer, from those of its tensors.
  ///
  /// NaN and infinities pass through.
  ///
  /// - Parameters:
  ///   - values: A value a tensor, at least one; of a layer's own metric that one.
  ///   - elements: The number of elements of each tensor.
  /// - Returns: The L2 norm over them for norms, the sum for counts, the mean by element for means and
  ///   (squared) for standard deviations, the extreme for extremes.
  func ofLayer(_ values: [Double], elements: [Double]) -> Double {
    guard values.count > 1 else { return values.first ?? .nan }
    func mean(_ power: (Double) -> Double) -> Double {
      zip(values, elements).reduce(0) { $0 + power($1.0) * $1.1 } / elements.reduce(0, +)
    }
    switch self {
    case .gradientNorm, .parameterNorm, .updateNorm:
      return values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    case .gradientStd: return mean { $0 * $0 }.squareRoot()
    case .gradientMin: return values.contains(where: \.isNaN) ? .nan : values.min() ?? .nan
    case .gradientMax: return values.contains(where: \.isNaN) ? .nan : values.max() ?? .nan
    case .gradientZeroCount, .gradientNaNCount, .gradientPositiveInfinityCount,
      .gradientNegativeInfinityCount:
      return values.reduce(0, +)
    case .gradientMean, .gradientMeanAbs, .activationMean, .activationStd, .activationZeroFraction,
      .activationSaturatedFraction, .activationDeadUnitFraction:
      return mean { $0 }
    }
  }

  /// The metric as people say it.
  var words: String {
    switch self {
    case .gradientNaNCount: "gradient NaN count"
    default:
      "\(self)".reduce(into: "") { words, character in
        words += character.isUppercase ? " " + character.lowercased() : String(character)
      }
    }
  }
}
