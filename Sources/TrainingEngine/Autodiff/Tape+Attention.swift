extension Tape {
  /// Mixes the positions of a sequence by how well their queries and keys agree.
  ///
  /// ```
  /// P = softmax(Q Kᵀ / √w)         Y = P V            for each sample and each head
  ///
  /// dV = Pᵀ dY       dP = dY Vᵀ    dS = P · (dP - Σ dP · P) / √w      dQ = dS K       dK = dSᵀ Q
  /// ```
  /// Shapes: `x` `[batch, time, 3 heads w]` holds queries, keys and values side by side, each cut
  /// into heads of width w; the result is `[batch, time, heads w]`. With `isCausal` a position sees
  /// none after it. Vaswani et al., "Attention Is All You Need", 2017.
  public func attention(_ x: Variable, headCount: Int, isCausal: Bool) -> Variable {
    let input = value(of: x)
    let (batch, time, width) = (input.shape[0], input.shape[1], input.shape[2] / 3)
    precondition(
      input.shape[2] == 3 * width && width % headCount == 0,
      "attention of \(input.shape): expected 3 times a multiple of \(headCount) heads"
    )
    let size = width / headCount
    let scale = 1 / Scalar(size).squareRoot()
    let heads = (0..<batch).flatMap { sample in
      (0..<headCount).map { (row: sample * time, column: $0 * size) }
    }
    /// Copies what belongs to a head, `[time, size]`: of the input its queries, its keys or its
    /// values.
    func part(
      _ index: Int,
      of whole: NDArray<Scalar>,
      _ head: (row: Int, column: Int)
    )
      -> NDArray<Scalar>
    {
      let column = index * width + head.column
      return whole.block(
        rows: head.row..<head.row + time,
        columns: column..<column + size,
        width: whole.lastDimension
      )
    }

    var output = NDArray<Scalar>(repeating: 0, shape: [batch, time, width])
    let weights = heads.map { head in
      var weights = part(0, of: input, head)
        .product(part(1, of: input, head), transposingOther: true)
      weights.withMutableElements { weights in
        for row in 0..<time {
          let own = weights.extracting(row * time..<(row + 1) * time)
          let seen = own.extracting(0..<(isCausal ? row + 1 : time))
          for column in seen.indices { seen[column] *= scale }
          _ = Self.softmax(seen)
          own.extracting(seen.count..<time).update(repeating: 0)
        }
      }
      output.add(
        weights.product(part(2, of: input, head)),
        row: head.row,
        column: head.column,
        width: width
      )
      return weights
    }
    return record(output, of: x) { tape, gradient in
      tape.accumulate(intoGradientOf: x) { whole in
        for (head, weights) in zip(heads, weights) {
          let incoming = part(0, of: gradient, head)
          var slope = incoming.product(part(2, of: input, head), transposingOther: true)
          slope.passThroughSoftmax(weights, factor: scale)
          let parts = [
            slope.product(part(1, of: input, head)),
            slope.product(part(0, of: input, head), transposingSelf: true),
            weights.product(incoming, transposingSelf: true),
          ]
          for (index, part) in parts.enumerated() {
            whole.add(part, row: head.row, column: index * width + head.column, width: 3 * width)
          }
        }
      }
    }
  }
}

extension NDArray {
  /// Turns gradients of probabilities into gradients of what they are the softmax of, row by row:
  /// dS = P · (dP - Σ dP · P) · factor.
  fileprivate mutating func passThroughSoftmax(_ probabilities: NDArray, factor: Scalar) {
    let (rows, width) = (rowsOfLastDimension, lastDimension)
    withMutableElements { slope in
      probabilities.withUnsafeBufferPointer { probabilities in
        for row in 0..<rows {
          let range = row * width..<(row + 1) * width
          let (slope, share) = (slope.extracting(range), probabilities.extracting(range))
          var mean: Scalar = 0
          for index in slope.indices { mean += slope[index] * share[index] }
          for index in slope.indices {
            slope[index] = share[index] * (slope[index] - mean) * factor
          }
        }
      }
    }
  }
}
