// Means over all elements, so that the loss does not depend on the batch size; the result has shape
// [].
extension Tape {
  /// Computes L = (1/n) Σ (p - t)², dp = dL · 2 (p - t) / n.
  ///
  /// Shapes: `prediction` and `target` alike, such as `[batch, 1]`. Sums in `Scalar`: where that
  /// overflows, the loss is Inf.
  public func meanSquaredError(_ prediction: Variable, _ target: NDArray<Scalar>) -> Variable {
    let difference = value(of: prediction).combined(with: target, -)
    let count = Scalar(difference.count)
    let loss = difference.elements.reduce(0) { $0 + $1 * $1 } / count
    return record(NDArray(shape: [], elements: [loss]), of: prediction) { tape, gradient in
      let factor = gradient.elements[0] * 2 / count
      tape.add(difference.map { factor * $0 }, toGradientOf: prediction)
    }
  }

  /// Computes L = -(1/n) Σ (t ln p + (1 - t) ln(1 - p)), dp = dL · (p - t) / (p (1 - p) n).
  ///
  /// Shapes: `probability` and `target` alike, such as `[batch, 1]`; targets from 0 to 1. As in
  /// Keras (`backend.binary_crossentropy`, not from logits), a probability is first clipped to
  /// [10⁻⁷, 1 - 10⁻⁷]; beyond that the derivative is 0. NaN is not clipped.
  public func binaryCrossEntropy(
    _ probability: Variable,
    _ target: NDArray<Scalar>
  ) -> Variable {
    let raw = value(of: probability)
    let (lower, upper) = (Scalar(1e-7), Scalar(1 - 1e-7))
    let clipped = raw.map { $0 < lower ? lower : $0 > upper ? upper : $0 }
    let count = Scalar(raw.count)
    let terms = clipped.combined(with: target) { p, t in
      -(t * Scalar.naturalLogarithm(p) + (1 - t) * Scalar.naturalLogarithm(1 - p))
    }
    let loss = terms.elements.reduce(0, +) / count
    return record(NDArray(shape: [], elements: [loss]), of: probability) { tape, gradient in
      let factor = gradient.elements[0] / count
      let slope = raw.combined(with: target) { p, t in
        p < lower || p > upper ? 0 : factor * (p - t) / (p * (1 - p))
      }
      tape.add(slope, toGradientOf: probability)
    }
  }

  /// Computes the cross-entropy of classes, from unnormalized log-probabilities.
  ///
  /// ```
  /// L = -(1/n) Σ ln p[i, class[i]]      p = softmax(x) over the last dimension
  /// dx = dL · (p - [class]) / n
  /// ```
  /// Shapes: `logits` `[..., classes]`; `classes` has one whole number, from 0, for each of its n
  /// rows. A row with a NaN or +Inf gives NaN; -Inf is a class of probability 0. It is a programmer
  /// error if a number is no class.
  public func crossEntropy(_ logits: Variable, _ classes: NDArray<Scalar>) -> Variable {
    var probabilities = value(of: logits)
    let (rows, width) = (probabilities.rowsOfLastDimension, probabilities.lastDimension)
    precondition(
      classes.count == rows,
      "cross-entropy of \(probabilities.shape): expected \(rows) classes, found \(classes.count)"
    )
    let indices = classes.elements.map { Int($0) }
    precondition(
      indices.allSatisfy { (0..<width).contains($0) },
      "cross-entropy: expected classes from 0 to \(width - 1)"
    )
    var loss: Scalar = 0
    probabilities.withMutableElements { elements in
      for row in 0..<rows {
        let numbers = elements.extracting(row * width..<(row + 1) * width)
        let target = numbers[indices[row]]
        let (largest, sum) = Self.softmax(numbers)
        loss += Scalar.naturalLogarithm(sum) - (target - largest)
      }
    }
    let share = 1 / Scalar(rows)
    return record(NDArray(shape: [], elements: [loss * share]), of: logits) { tape, gradient in
      let factor = gradient.elements[0] * share
      var slope = probabilities.map { factor * $0 }
      for row in 0..<rows { slope.elements[row * width + indices[row]] -= factor }
      tape.add(slope, toGradientOf: logits)
    }
  }

  /// Replaces numbers, at least one, by their softmax.
  ///
  /// The largest is subtracted first, so that nothing finite overflows.
  ///
  /// - Returns: The largest, and the sum of the exponentials after it was subtracted.
  static func softmax(
    _ numbers: UnsafeMutableBufferPointer<Scalar>
  ) -> (largest: Scalar, sum: Scalar) {
    var largest = numbers[0]
    for number in numbers where number > largest { largest = number }
    for index in numbers.indices { numbers[index] = Scalar.exponential(numbers[index] - largest) }
    var sum: Scalar = 0
    for number in numbers { sum += number }
    let share = 1 / sum
    for index in numbers.indices { numbers[index] *= share }
    return (largest, sum)
  }
}
