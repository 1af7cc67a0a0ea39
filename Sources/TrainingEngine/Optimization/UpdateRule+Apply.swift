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
    var gradient = gradient
    switch self {
    case .sgd(let learningRate, let momentum, let weightDecay):
      if weightDecay != 0 {
        let decay = Scalar(weightDecay)
        gradient = gradient.combined(with: value) { g, w in g + decay * w }
      }
      if momentum != 0 {
        let momentum = Scalar(momentum)
        slots[0].update(with: gradient) { m, g in m = momentum * m + g }
        gradient = slots[0]
      }
      let rate = Scalar(learningRate)
      value.update(with: gradient) { w, g in w -= rate * g }

    case .rmsprop(let learningRate, let rho, let epsilon):
      let (rate, rho, rest) = (Scalar(learningRate), Scalar(rho), Scalar(1 - rho))
      let epsilon = Scalar(epsilon)
      slots[0].update(with: gradient) { v, g in v = rho * v + rest * (g * g) }
      let step = gradient.combined(with: slots[0]) { g, v in rate * g / (v.squareRoot() + epsilon) }
      value.update(with: step) { w, step in w -= step }

    case .adam(let learningRate, let beta1, let beta2, let epsilon, let weightDecay):
      if weightDecay != 0 {
        let decay = Scalar(learningRate * weightDecay)
        value = value.map { $0 - decay * $0 }
      }
      let t = Double(update)
      let correction = (1 - Double.power(beta2, t)).squareRoot() / (1 - Double.power(beta1, t))
      let (rate, epsilon) = (Scalar(learningRate * correction), Scalar(epsilon))
      let (beta1, rest1) = (Scalar(beta1), Scalar(1 - beta1))
      let (beta2, rest2) = (Scalar(beta2), Scalar(1 - beta2))
      // One pass over all four arrays: it is memory that takes the time.
      value.withMutableElements { w in
        gradient.withUnsafeBufferPointer { gradient in
          slots.withUnsafeMutableBufferPointer { slots in
            slots[0].withMutableElements { m in
              slots[1].withMutableElements { v in
                for index in w.indices {
                  let g = gradient[index]
                  let mean = beta1 * m[index] + rest1 * g
                  let square = beta2 * v[index] + rest2 * (g * g)
                  (m[index], v[index]) = (mean, square)
                  w[index] -= rate * mean / (square.squareRoot() + epsilon)
                }
              }
            }
          }
        }
      }
    }
  }
}

extension NDArray {
  /// Changes every element, given that of another array in the same place.
  @inline(__always)
  fileprivate mutating func update(
    with other: NDArray,
    _ change: (_ element: inout Scalar, _ other: Scalar) -> Void
  ) {
    withMutableElements { elements in
      other.withUnsafeBufferPointer { other in
        for index in elements.indices { change(&elements[index], other[index]) }
      }
    }
  }
}
