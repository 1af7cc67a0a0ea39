extension Dataset {
  /// Makes sequences of noise whose first entry names the class: what has to be remembered to the end.
  ///
  /// After Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, experiment 2.
  ///
  /// - Parameters:
  ///   - count: The number of sequences, dealt out to the classes in turn.
  ///   - length: The number of time steps.
  ///   - classes: The number of classes, and of features.
  ///   - noise: The standard deviation of the normal noise at every time step but the first.
  ///   - seed: Gives noise and order.
  /// - Returns: Inputs `[count, length, classes]`, the first entry 1 at its class and else 0; targets `[count]`: classes from 0.
  public static func makeRecall(
    count: Int,
    length: Int,
    classes: Int,
    noise: Double,
    seed: UInt64
  ) -> Dataset {
    var generator = SeededGenerator(seed: seed)
    let rows = (0..<count).map { index in
      (0..<length * classes).map { place in
        place < classes
          ? (place == index % classes ? 1 : 0) : noise * generator.nextNormal()
      }
    }
    return Dataset(
      rows: rows,
      sampleShape: [length, classes],
      targets: (0..<count).map { [Double($0 % classes)] },
      targetShape: [],
      shuffledBy: &generator
    )
  }
}
