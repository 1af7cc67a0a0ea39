/// How gradients are limited before an update.
public enum ClippingPlan: Hashable, Sendable {
  /// All gradients are scaled down together so that their global L2 norm is at most this.
  ///
  /// Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.
  case norm(Double)
  /// Every element is cut to ± this; the direction changes.
  case value(Double)
  /// As ``norm(_:)``, with a limit that doubles after every so many steps, up to a largest one.
  case growingNorm(first: Double, doublingEvery: Int, largest: Double)

  /// Returns the limit at a step, from 0.
  public func threshold(at step: Int) -> Double {
    switch self {
    case .norm(let limit), .value(let limit): limit
    case .growingNorm(let first, let every, let largest):
      min(largest, first * Double.power(2, Double(step / max(every, 1))))
    }
  }

  /// The name for people and collectors.
  public var name: String {
    switch self {
    case .norm(let limit): "norm(\(limit))"
    case .value(let limit): "value(\(limit))"
    case .growingNorm(let first, let every, let largest):
      "norm(\(first), doubling every \(every) steps to \(largest))"
    }
  }

  /// Limits gradients in place.
  ///
  /// A norm that is not finite scales nothing, so NaN and Inf stay visible; PyTorch's
  /// `clip_grad_norm_` would make all NaN.
  ///
  /// - Parameters:
  ///   - gradients: The gradients, changed in place.
  ///   - norm: Their global norm.
  ///   - step: The step, from 0.
  /// - Returns: What was done.
  package func apply(
    _ gradients: inout [NDArray<Float>],
    norm: Double,
    step: Int
  ) -> AppliedClipping {
    let threshold = threshold(at: step)
    var didClip = false
    switch self {
    case .norm, .growingNorm:
      didClip = norm > threshold
      if didClip, norm.isFinite {
        let factor = Float(threshold / norm)
        for index in gradients.indices { gradients[index] = gradients[index].map { $0 * factor } }
      }
    case .value:
      let limit = Float(threshold)
      for index in gradients.indices
      where gradients[index].elements.contains(where: { $0.magnitude > limit }) {
        didClip = true
        gradients[index] = gradients[index].map { $0 > limit ? limit : $0 < -limit ? -limit : $0 }
      }
    }
    return AppliedClipping(isByValue: isByValue, threshold: threshold, didClip: didClip)
  }

  private var isByValue: Bool {
    switch self {
    case .value: true
    case .norm, .growingNorm: false
    }
  }
}
