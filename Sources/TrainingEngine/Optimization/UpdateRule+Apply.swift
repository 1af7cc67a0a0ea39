extension UpdateRule {
  /// Updates one parameter.
  ///
  /// - Parameters:
  ///   - gradient: In the shape of the parameter; NaN and infinities end up in it.
  ///   - value: The parameter.
  ///   - slots: The parameter's running means, ``slotCount`` of its shape, 0 at first.
  ///   - update: The number of this update, from 1.
  func apply<Scalar: TrainingScalar>(
    _ gradient: NDArray<Scalar>,
    to value: inout NDArray<Scalar>,
    slots: inout [NDArray<Scalar>],
    update: Int
  ) {
    precondition(
      gradient.shape == value.shape,
      "gradient of shape \(gradient.shape): expected the parameter's, \(value.shape)"
    )
    switch self {
    case .sgd(let learningRate):
      let rate = Scalar(learningRate)
      for i in value.elements.indices { value.elements[i] -= rate * gradient.elements[i] }

    case .rmsprop(let learningRate, let rho, let epsilon):
      let (rate, rho, epsilon) = (Scalar(learningRate), Scalar(rho), Scalar(epsilon))
      for i in value.elements.indices {
        let g = gradient.elements[i]
        let v = rho * slots[0].elements[i] + (1 - rho) * (g * g)
        slots[0].elements[i] = v
        value.elements[i] -= rate * g / (v.squareRoot() + epsilon)
      }

    case .adam(let learningRate, let beta1, let beta2, let epsilon):
      let t = Double(update)
      let correction =
        (1 - Double.power(beta2, t)).squareRoot() / (1 - Double.power(beta1, t))
      let (rate, epsilon) = (Scalar(learningRate * correction), Scalar(epsilon))
      let (beta1, beta2) = (Scalar(beta1), Scalar(beta2))
      for i in value.elements.indices {
        let g = gradient.elements[i]
        let m = beta1 * slots[0].elements[i] + (1 - beta1) * g
        let v = beta2 * slots[1].elements[i] + (1 - beta2) * (g * g)
        slots[0].elements[i] = m
        slots[1].elements[i] = v
        value.elements[i] -= rate * m / (v.squareRoot() + epsilon)
      }
    }
  }
}
