extension Dataset {
  /// Makes noisy images of stripes; the class is their direction.
  ///
  /// ```
  /// x[i, j] = cos(2π f (i cos a + j sin a) + phase) + noise      a = π class / classes
  /// ```
  /// Frequencies f are uniform from 1/8 to 1/4 a pixel, phases from 0 to 2π.
  ///
  /// - Parameters:
  ///   - count: The number of samples, dealt out to the classes in turn.
  ///   - size: The number of pixels in a row and in a column.
  ///   - classes: The number of directions.
  ///   - noise: The standard deviation of the normal noise on each pixel.
  ///   - seed: Gives frequencies, phases, noise and order.
  /// - Returns: Inputs `[count, size, size, 1]`, targets `[count]`: classes from 0.
  public static func makeGratings(
    count: Int,
    size: Int,
    classes: Int,
    noise: Double,
    seed: UInt64
  ) -> Dataset {
    var generator = SeededGenerator(seed: seed)
    let rows = (0..<count).map { index in
      let angle = Double.pi * Double(index % classes) / Double(classes)
      let frequency = 2 * Double.pi * generator.nextUniform(from: 0.125, to: 0.25)
      let phase = generator.nextUniform(from: 0, to: 2 * .pi)
      let (x, y) = (Double.cosine(angle) * frequency, Double.sine(angle) * frequency)
      return (0..<size * size).map { pixel in
        Double.cosine(x * Double(pixel / size) + y * Double(pixel % size) + phase)
          + noise * generator.nextNormal()
      }
    }
    return Dataset(
      rows: rows,
      sampleShape: [size, size, 1],
      targets: (0..<count).map { [Double($0 % classes)] },
      targetShape: [],
      shuffledBy: &generator
    )
  }
}
