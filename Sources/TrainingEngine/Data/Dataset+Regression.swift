extension Dataset {
  /// Makes a noisy linear map of normal inputs, scikit-learn's `make_regression`.
  ///
  /// ```
  /// y = Σⱼ cⱼ xⱼ + noise · n        xⱼ, n normal;  cⱼ uniform from 0 to 100, or 0
  /// ```
  /// Unless `standardized`, targets are not scaled: with 10 informative features their variance is about 10 · 100² / 3 =
  /// 33,000.
  ///
  /// - Parameters:
  ///   - count: The number of samples.
  ///   - features: The number of features of a sample.
  ///   - informative: How many features, the first ones, have a coefficient other than 0.
  ///   - noise: The standard deviation of the normal noise on a target.
  ///   - seed: Gives everything.
  ///   - standardized: Whether targets are shifted and scaled to mean 0 and variance 1.
  /// - Returns: Inputs `[count, features]`, targets `[count, 1]`.
  public static func makeRegression(
    count: Int,
    features: Int,
    informative: Int,
    noise: Double,
    seed: UInt64,
    standardized: Bool = false
  ) -> Dataset {
    precondition(
      count > 0 && features > 0 && (0...features).contains(informative),
      "regression: expected samples, and at most \(features) informative features"
    )
    var generator = SeededGenerator(seed: seed)
    let coefficients = (0..<features).map { feature in
      feature < informative ? generator.nextUniform(from: 0, to: 100) : 0
    }
    var (rows, targets): ([[Double]], [Double]) = ([], [])
    for _ in 0..<count {
      let row = (0..<features).map { _ in generator.nextNormal() }
      let exact = zip(coefficients, row).reduce(0) { $0 + $1.0 * $1.1 }
      rows.append(row)
      targets.append(exact + noise * generator.nextNormal())
    }
    if standardized {
      let mean = targets.reduce(0, +) / Double(count)
      let variance = targets.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
      let deviation = max(variance.squareRoot(), .leastNormalMagnitude)
      targets = targets.map { ($0 - mean) / deviation }
    }
    return Dataset(rows: rows, targets: targets, shuffledBy: &generator)
  }
}
