/// The sum of an input and of what layers make of it, and a function of that.
///
/// ```
/// y = f(x P + body(x))       without a projection P: y = f(x + body(x))
/// ```
/// He et al., "Deep Residual Learning for Image Recognition", 2016.
struct Residual {
  let body: Chain
  /// Gives the input the shape of what the body makes of it.
  let projection: Chain?
  let activation: Activation

  func callAsFunction<Scalar>(_ x: Variable, in pass: inout ForwardPass<Scalar>) -> Variable {
    let made = body(x, in: &pass)
    let skipped = projection?(x, in: &pass) ?? x
    return activation(pass.tape.sum(skipped, made), on: pass.tape)
  }
}
