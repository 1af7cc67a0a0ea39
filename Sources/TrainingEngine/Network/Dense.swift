/// A layer in which every unit sees every input.
///
/// ```
/// y = f(x W + b)
/// ```
/// Shapes: `x` `[batch, inputs]`, `W` `[inputs, units]`, `b` `[units]`, `y` `[batch, units]`:
/// Keras's layout, the transpose of PyTorch's. `W` is drawn from the initializer, `b` starts at 0.
struct Dense {
  let name: String
  let inputCount: Int
  let unitCount: Int
  let activation: Activation
  let initializer: Initializer

  var description: LayerDescription {
    LayerDescription(
      name: name,
      moduleType: "Dense",
      activation: activation,
      fanIn: inputCount,
      fanOut: unitCount,
      initializer: initializer
    )
  }

  /// Draws the weight and the bias, in this order.
  func makeParameters<Scalar>(
    layer: Int,
    using generator: inout SeededGenerator
  ) -> [Parameter<Scalar>] {
    [
      Parameter(
        layerName: name,
        layer: layer,
        role: .weight,
        initializer: initializer,
        value: initializer.makeArray(
          shape: [inputCount, unitCount],
          fanIn: inputCount,
          fanOut: unitCount,
          using: &generator
        )
      ),
      Parameter(
        layerName: name,
        layer: layer,
        role: .bias,
        initializer: .zeros,
        value: NDArray(repeating: 0, shape: [unitCount])
      ),
    ]
  }

  /// Applies the layer; `parameters` are its own, in the order of ``makeParameters(layer:using:)``.
  func callAsFunction<Scalar>(
    _ x: Variable,
    parameters: ArraySlice<Variable>,
    on tape: Tape<Scalar>
  ) -> Variable {
    let (weight, bias) = (parameters[parameters.startIndex], parameters[parameters.startIndex + 1])
    return activation(tape.addingToRows(tape.product(x, weight), bias), on: tape)
  }
}
