import Testing
import TrainingEngine

/// Expects the tape's gradients of all inputs to be what moving each element a little shows.
///
/// `operation` ends in a scalar. Central differences in `Double` with steps of 10⁻⁵ are good to
/// about 10⁻¹⁰ relative to the third derivative; 10⁻⁷ leaves room for curved functions.
func expectGradients(
  of inputs: [NDArray<Double>],
  match operation: (Tape<Double>, [Variable]) -> Variable,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let tape = Tape<Double>()
  let variables = inputs.map(tape.variable)
  tape.backward(from: operation(tape, variables))

  func value(_ inputs: [NDArray<Double>]) -> Double {
    let tape = Tape<Double>()
    return tape.value(of: operation(tape, inputs.map(tape.constant))).elements[0]
  }
  let step = 1e-5
  for (position, input) in inputs.enumerated() {
    let expected = input.elements.indices.map { index in
      var (above, below) = (inputs, inputs)
      above[position].elements[index] += step
      below[position].elements[index] -= step
      return (value(above) - value(below)) / (2 * step)
    }
    let gradient = tape.gradient(of: variables[position])
    #expect(gradient.shape == input.shape, sourceLocation: sourceLocation)
    expectClose(
      gradient.elements,
      expected,
      tolerance: 1e-7,
      "gradient of input \(position)",
      sourceLocation: sourceLocation
    )
  }
}
