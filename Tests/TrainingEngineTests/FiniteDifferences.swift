import Testing
import TrainingEngine

/// Expects the tape's gradients of all inputs to be what moving each element a little shows.
///
/// The operation's result has to have the shape `result`; what is differentiated is its sum,
/// weighted by a wave so that every element counts differently. Central differences in `Double`
/// with steps of 10⁻⁵ are good to about 10⁻¹⁰ relative to the third derivative; 10⁻⁷ leaves room
/// for curved functions.
func expectGradients(
  of inputs: [NDArray<Double>],
  result: [Int],
  sourceLocation: SourceLocation = #_sourceLocation,
  match operation: (Tape<Double>, [Variable]) -> Variable
) {
  func weightedSum(_ tape: Tape<Double>, _ variables: [Variable]) -> Variable {
    let y = operation(tape, variables)
    #expect(tape.value(of: y).shape == result, sourceLocation: sourceLocation)
    let count = tape.value(of: y).count
    let weights = tape.constant(.wave([count, 1], seed: 100))
    return tape.product(tape.reshaped(y, [1, count]), weights)
  }
  let tape = Tape<Double>()
  let variables = inputs.map(tape.variable)
  tape.backward(from: weightedSum(tape, variables))

  func value(_ inputs: [NDArray<Double>]) -> Double {
    let tape = Tape<Double>()
    return tape.value(of: weightedSum(tape, inputs.map(tape.constant))).elements[0]
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

/// As ``expectGradients(of:result:sourceLocation:match:)``, of waves in these shapes.
func expectGradients(
  of shapes: [[Int]],
  result: [Int],
  sourceLocation: SourceLocation = #_sourceLocation,
  match operation: (Tape<Double>, [Variable]) -> Variable
) {
  expectGradients(
    of: shapes.enumerated().map { .wave($1, seed: Double($0 + 1)) },
    result: result,
    sourceLocation: sourceLocation,
    match: operation
  )
}
