extension NDArray {
  /// Multiplies two matrices, either of them transposed first if asked for.
  ///
  /// ```
  /// C = A · B     A: [m, k] ([k, m] if transposed)   B: [k, n] ([n, k] if transposed)   C: [m, n]
  /// ```
  /// No product is skipped because a factor is 0: 0 · Inf has to be NaN.
  package func product(
    _ other: NDArray,
    transposingSelf: Bool = false,
    transposingOther: Bool = false
  ) -> NDArray {
    precondition(
      shape.count == 2 && other.shape.count == 2,
      "product of \(shape) and \(other.shape): expected two matrices"
    )
    // The inner loop runs along rows of the right factor, so that one is laid out anew. The left
    // factor is read one element at a time, and may stay as it is.
    let right = transposingOther ? other.transposed() : other
    let rows = transposingSelf ? shape[1] : shape[0]
    let depth = transposingSelf ? shape[0] : shape[1]
    let columns = right.shape[1]
    precondition(
      right.shape[0] == depth,
      "product: expected \(depth) rows on the right, found \(right.shape[0])"
    )

    var result = NDArray(repeating: 0, shape: [rows, columns])
    result.elements.withUnsafeMutableBufferPointer { product in
      elements.withUnsafeBufferPointer { left in
        right.elements.withUnsafeBufferPointer { right in
          accumulateProduct(
            left,
            rowStride: transposingSelf ? 1 : depth,
            depthStride: transposingSelf ? rows : 1,
            right,
            into: product,
            rows: rows,
            depth: depth,
            columns: columns
          )
        }
      }
    }
    return result
  }

  /// Exchanges the rows and columns of a matrix: `[m, n]` becomes `[n, m]`.
  package func transposed() -> NDArray {
    let (rows, columns) = (shape[0], shape[1])
    var result = NDArray(repeating: 0, shape: [columns, rows])
    for row in 0..<rows {
      for column in 0..<columns {
        result.elements[column * rows + row] = elements[row * columns + column]
      }
    }
    return result
  }
}

/// Adds the product of two matrices to `product`: the one loop in which training spends its time.
///
/// Order i-k-j: the innermost loop reads and writes consecutive elements, and vectorizes without
/// changing the order in which any one element's terms are added.
private func accumulateProduct<Scalar: TrainingScalar>(
  _ left: UnsafeBufferPointer<Scalar>,
  rowStride: Int,
  depthStride: Int,
  _ right: UnsafeBufferPointer<Scalar>,
  into product: UnsafeMutableBufferPointer<Scalar>,
  rows: Int,
  depth: Int,
  columns: Int
) {
  guard let left = left.baseAddress, let right = right.baseAddress,
    let product = product.baseAddress
  else { return }
  for row in 0..<rows {
    let target = product + row * columns
    for inner in 0..<depth {
      let factor = left[row * rowStride + inner * depthStride]
      let source = right + inner * columns
      for column in 0..<columns { target[column] += factor * source[column] }
    }
  }
}
