// Moving numbers: every element of a gradient goes back to where its element came from.
extension Tape {
  /// Gives the same elements another shape of as many.
  public func reshaped(_ x: Variable, _ shape: [Int]) -> Variable {
    let original = value(of: x).shape
    return record(value(of: x).reshaped(shape), of: x) { tape, gradient in
      tape.add(gradient.reshaped(original), toGradientOf: x)
    }
  }

  /// Picks one entry of the second dimension, such as a time step: `[batch, time, n]` to `[batch,
  /// n]`.
  public func entry(_ index: Int, ofSequence x: Variable) -> Variable {
    let sequence = value(of: x)
    let (batch, length, n) = (sequence.shape[0], sequence.shape[1], sequence.shape[2])
    precondition(index < length, "entry \(index) of \(sequence.shape): expected below \(length)")
    let entry = sequence.block(
      rows: 0..<batch,
      columns: index * n..<(index + 1) * n,
      width: length * n
    )
    return record(entry, of: x) { tape, gradient in
      tape.accumulate(intoGradientOf: x) {
        $0.add(gradient, row: 0, column: index * n, width: length * n)
      }
    }
  }

  /// Puts time steps together to a sequence: `time` arrays `[batch, n]` to `[batch, time, n]`.
  public func sequence(_ entries: [Variable]) -> Variable {
    let shape = value(of: entries[0]).shape
    let (batch, length, n) = (shape[0], entries.count, shape[1])
    var sequence = NDArray<Scalar>(repeating: 0, shape: [batch, length, n])
    for (index, entry) in entries.enumerated() {
      sequence.add(value(of: entry), row: 0, column: index * n, width: length * n)
    }
    return record(sequence, of: entries) { tape, gradient in
      for (index, entry) in entries.enumerated() {
        let part = gradient.block(
          rows: 0..<batch,
          columns: index * n..<(index + 1) * n,
          width: length * n
        )
        tape.add(part, toGradientOf: entry)
      }
    }
  }

  /// Averages over all positions of a sample.
  ///
  /// ```
  /// y[n, c] = (1/p) Σ x[n, ..., c]     x: [batch, ..., c] with p positions   y: [batch, c]
  /// dx[n, ..., c] = dy[n, c] / p
  /// ```
  public func meanOverPositions(_ x: Variable) -> Variable {
    let numbers = value(of: x)
    let (batch, width) = (numbers.shape[0], numbers.lastDimension)
    let positions = numbers.count / (batch * width)
    var mean = NDArray<Scalar>(repeating: 0, shape: [batch, width])
    for row in 0..<batch * positions {
      mean.add(numbers, from: row * width, to: row / positions * width, count: width)
    }
    let share = 1 / Scalar(positions)
    return record(mean.map { $0 * share }, of: x) { tape, gradient in
      let part = gradient.map { $0 * share }
      tape.accumulate(intoGradientOf: x) { whole in
        for row in 0..<batch * positions {
          whole.add(part, from: row / positions * width, to: row * width, count: width)
        }
      }
    }
  }

  /// Keeps the value, and lets no gradient pass: where back-propagation through time is cut off.
  public func detached(_ x: Variable) -> Variable { constant(value(of: x)) }
}
