extension Dataset {
  /// Makes sequences of tokens in which each follows from the two before it, most of the time.
  ///
  /// ```
  /// next = (3 a + 5 b + 1) mod vocabulary, after a and b; any token with the probability `surprise`
  /// ```
  ///
  /// - Parameters:
  ///   - count: The number of sequences.
  ///   - length: The number of tokens in each.
  ///   - vocabulary: The number of different tokens.
  ///   - surprise: The probability of a random token, from 0 to 1.
  ///   - seed: Gives the tokens and the order.
  /// - Returns: Inputs `[count, length]`, tokens from 0; targets alike, each the token that follows.
  public static func makeTokens(
    count: Int,
    length: Int,
    vocabulary: Int,
    surprise: Double,
    seed: UInt64
  ) -> Dataset {
    var generator = SeededGenerator(seed: seed)
    let sequences = (0..<count).map { _ in
      var tokens = (0..<2).map { _ in Int(generator.nextUniform(to: Double(vocabulary))) }
      while tokens.count <= length {
        let (a, b) = (tokens[tokens.count - 2], tokens[tokens.count - 1])
        tokens.append(
          generator.nextUniform() < surprise
            ? Int(generator.nextUniform(to: Double(vocabulary)))
            : (3 * a + 5 * b + 1) % vocabulary
        )
      }
      return tokens.map { Double($0) }
    }
    return Dataset(
      rows: sequences.map { Array($0.dropLast()) },
      sampleShape: [length],
      targets: sequences.map { Array($0.dropFirst()) },
      targetShape: [length],
      shuffledBy: &generator
    )
  }
}
