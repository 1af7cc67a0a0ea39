extension Dataset {
  /// Makes normal clouds around random centres, one a class: scikit-learn's `make_blobs`.
  ///
  /// - Parameters:
  ///   - count: The number of samples, dealt out to the classes in turn.
  ///   - features: The number of features; centres are uniform within ±1 in each.
  ///   - classes: The number of classes.
  ///   - deviation: The standard deviation of a cloud in each feature.
  ///   - seed: Gives centres, clouds and order.
  /// - Returns: Inputs `[count, features]`, targets `[count]`: classes from 0.
  public static func makeClusters(
    count: Int,
    features: Int,
    classes: Int,
    deviation: Double,
    seed: UInt64
  ) -> Dataset {
    var generator = SeededGenerator(seed: seed)
    let centres = (0..<classes).map { _ in
      (0..<features).map { _ in generator.nextUniform(from: -1, to: 1) }
    }
    let rows = (0..<count).map { index in
      centres[index % classes].map { $0 + deviation * generator.nextNormal() }
    }
    return Dataset(
      rows: rows,
      sampleShape: [features],
      targets: (0..<count).map { [Double($0 % classes)] },
      targetShape: [],
      shuffledBy: &generator
    )
  }
}
