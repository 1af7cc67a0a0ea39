/// Modules one after the other.
struct Chain {
  let modules: [Module]
  /// The layer whose activations the result is.
  var layer: Int?

  func callAsFunction<Scalar>(_ x: Variable, in pass: inout ForwardPass<Scalar>) -> Variable {
    var y = x
    for module in modules { y = module(y, in: &pass) }
    if let layer { pass.outputs[layer] = y }
    return y
  }
}
