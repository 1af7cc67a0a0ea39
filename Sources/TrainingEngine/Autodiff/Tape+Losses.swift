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
}
