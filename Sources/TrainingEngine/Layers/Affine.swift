/// Every output sees every input of its position.
///
/// ```
/// y = x W + b
/// ```
/// Shapes: `x` `[batch, ..., inputs]`, `W` `[inputs, units]`, `b` `[units]`, `y`
/// `[batch, ..., units]`: Keras's layout, the transpose of PyTorch's.
struct Affine {
  let weight: Int
  let bias: Int?

  func callAsFunction<Scalar>(_ x: Variable, in pass: ForwardPass<Scalar>) -> Variable {
    pass.tape.product(
      x,
      pass.parameters[weight],
      adding: bias.map { pass.parameters[$0] }
    )
  }
}
