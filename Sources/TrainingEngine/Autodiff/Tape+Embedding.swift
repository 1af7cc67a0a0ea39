extension Tape {
  /// Looks rows of a table up.
  ///
  /// ```
  /// y[..., :] = table[tokens[...], :]      tokens: [...]   table: [count, width]   y: [..., width]
  /// dtable[t, :] = Σ dy[..., :] where tokens[...] = t
  /// ```
  /// Tokens are whole numbers from 0. It is a programmer error if one is not in the table.
  public func embedding(_ tokens: NDArray<Scalar>, table: Variable) -> Variable {
    let rows = value(of: table)
    let (count, width) = (rows.shape[0], rows.shape[1])
    let indices = tokens.elements.map { Int($0) }
    precondition(
      indices.allSatisfy { (0..<count).contains($0) },
      "embedding: expected tokens from 0 to \(count - 1)"
    )
    var found = NDArray<Scalar>(repeating: 0, shape: tokens.shape + [width])
    for (place, index) in indices.enumerated() {
      found.add(rows, from: index * width, to: place * width, count: width)
    }
    return record(found, of: table) { tape, gradient in
      tape.accumulate(intoGradientOf: table) { whole in
        for (place, index) in indices.enumerated() {
          whole.add(gradient, from: place * width, to: index * width, count: width)
        }
      }
    }
  }

  /// Adds a table to every sample, such as learned positions.
  ///
  /// ```
  /// y[n, ...] = x[n, ...] + table[...]     x, y: [batch] + shape   table: shape
  /// dx = dy        dtable = Σ dy[n, ...]
  /// ```
  public func addingToSamples(_ x: Variable, _ table: Variable) -> Variable {
    let (samples, offsets) = (value(of: x), value(of: table))
    precondition(
      Array(samples.shape.dropFirst()) == offsets.shape,
      "samples of \(samples.shape): expected a table of one, found \(offsets.shape)"
    )
    var sum = samples
    sum.addToRows(offsets)
    return record(sum, of: x, table) { tape, gradient in
      tape.add(gradient, toGradientOf: x)
      tape.accumulate(intoGradientOf: table) { $0.addRows(of: gradient) }
    }
  }
}
