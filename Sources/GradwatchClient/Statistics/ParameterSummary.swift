/// One parameter before a step, and what the step did to it.
///
/// Summed in `Double`. NaN and infinities are data here: they make the norms NaN or infinite.
public struct ParameterSummary: Hashable, Sendable {
  /// The L2 norm of the parameter before the step; 0 if it is empty.
  public let norm: Double
  /// The L2 norm of the step's change to it; 0 if it is empty.
  public let updateNorm: Double

  /// Summarizes an update, in one pass over both arrays.
  ///
  /// - Parameters:
  ///   - before: The parameter as the gradient was taken.
  ///   - after: The parameter after the optimizer's update; as many elements, in the same order.
  public init(before: UnsafeBufferPointer<Float>, after: UnsafeBufferPointer<Float>) {
    precondition(
      before.count == after.count,
      "parameter of \(before.count) elements: expected as many after the step, found \(after.count)"
    )
    let old = UnsafeRawBufferPointer(before)
    let new = UnsafeRawBufferPointer(after)
    var squares = SIMD8<Double>.zero
    var changes = SIMD8<Double>.zero
    let vectorEnd = before.count & ~7
    var index = 0
    while index < vectorEnd {
      let first = SIMD8<Double>(old.loadUnaligned(fromByteOffset: 4 * index, as: SIMD8<Float>.self))
      let second = SIMD8<Double>(
        new.loadUnaligned(fromByteOffset: 4 * index, as: SIMD8<Float>.self)
      )
      let change = second - first
      squares += first * first
      changes += change * change
      index += 8
    }
    var square = squares.sum()
    var change = changes.sum()
    while index < before.count {
      let difference = Double(after[index]) - Double(before[index])
      square += Double(before[index]) * Double(before[index])
      change += difference * difference
      index += 1
    }
    norm = square.squareRoot()
    updateNorm = change.squareRoot()
  }

  /// Summarizes an update, in one pass over both arrays.
  public init(before: [Float], after: [Float]) {
    self = before.withUnsafeBufferPointer { before in
      after.withUnsafeBufferPointer { ParameterSummary(before: before, after: $0) }
    }
  }

  /// Takes norms that were computed elsewhere.
  public init(norm: Double, updateNorm: Double) {
    self.norm = norm
    self.updateNorm = updateNorm
  }
}
