extension Dataset {
  /// Makes two interleaved half circles, scikit-learn's `make_moons`.
  ///
  /// ```
  /// target 0:  (cos t, sin t)              t evenly from 0 to π, both ends included
  /// target 1:  (1 - cos t, 1/2 - sin t)
  /// ```
  ///
  /// - Parameters:
  ///   - count: The number of samples; half of them, rounded down, have target 0.
  ///   - noise: The standard deviation of the normal noise on both coordinates.
  ///   - seed: Gives the noise and the order.
  /// - Returns: Inputs `[count, 2]`, targets `[count, 1]`.
  public static func makeMoons(count: Int, noise: Double, seed: UInt64) -> Dataset {
    precondition(count > 0, "moons: expected at least 1 sample, found \(count)")
    var generator = SeededGenerator(seed: seed)
    let outer = count / 2
    let rows = (0..<count).map { index in
      let isOuter = index < outer
      let place = isOuter ? index : index - outer
      let last = (isOuter ? outer : count - outer) - 1
      let angle = last == 0 ? 0 : Double.pi * Double(place) / Double(last)
      let (x, y) = (Double.cosine(angle), Double.sine(angle))
      let point = isOuter ? [x, y] : [1 - x, 0.5 - y]
      return point.map { $0 + noise * generator.nextNormal() }
    }
    let targets = (0..<count).map { $0 < outer ? 0.0 : 1 }
    return Dataset(rows: rows, targets: targets, shuffledBy: &generator)
  }
}
