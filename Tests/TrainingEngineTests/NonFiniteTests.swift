import Testing
import TrainingEngine

@Suite("NaN and infinity")
struct NonFiniteTests {
  /// The value and the gradient of an operation on one row of numbers.
  private func run(
    _ elements: [Float],
    _ operation: (Tape<Float>, Variable) -> Variable
  ) -> (value: [Float], gradient: [Float]) {
    let tape = Tape<Float>()
    let x = tape.variable(NDArray(shape: [1, elements.count], elements: elements))
    let y = operation(tape, x)
    tape.backward(from: y)
    return (tape.value(of: y).elements, tape.gradient(of: x).elements)
  }

  @Test("0 times infinity is NaN in a matrix product")
  func zeroTimesInfinity() {
    let zero = NDArray<Float>(shape: [1, 1], elements: [0])
    let infinity = NDArray<Float>(shape: [1, 1], elements: [.infinity])
    #expect(zero.product(infinity).elements[0].isNaN)
    #expect(infinity.product(zero).elements[0].isNaN)
  }

  @Test("ReLU lets NaN and +Inf through in both directions")
  func relu() {
    let (value, gradient) = run([.nan, .infinity, -.infinity, -1]) { $0.relu($1) }
    #expect(value[0].isNaN)
    #expect(value[1...] == [.infinity, 0, 0])
    #expect(gradient == [1, 1, 0, 0])
    let (_, upstream) = run([2, -2]) { tape, x in
      let nan = NDArray<Float>(repeating: .nan, shape: [1, 2])
      return tape.meanSquaredError(tape.relu(x), nan)
    }
    #expect(upstream[0].isNaN)
    #expect(upstream[1] == 0)
  }

  @Test("sigmoid and tanh map infinities to their bounds and NaN to NaN")
  func saturating() {
    let inputs: [Float] = [-.infinity, .infinity, -1000, 1000]
    #expect(run(inputs) { $0.sigmoid($1) }.value == [0, 1, 0, 1])
    #expect(run(inputs) { $0.sigmoid($1) }.gradient == [0, 0, 0, 0])
    #expect(run(inputs) { $0.tanh($1) }.value == [-1, 1, -1, 1])
    #expect(run([.nan]) { $0.sigmoid($1) }.value[0].isNaN)
    #expect(run([.nan]) { $0.tanh($1) }.gradient[0].isNaN)
  }

  @Test("the mean squared error overflows where float32 does, before its gradient")
  func meanSquaredError() {
    let zero = NDArray<Float>(repeating: 0, shape: [1, 1])
    let fits = run([1e19]) { $0.meanSquaredError($1, zero) }
    let overflows = run([1e20]) { $0.meanSquaredError($1, zero) }
    #expect(fits.value[0].isFinite)
    #expect(overflows.value == [.infinity])
    #expect(overflows.gradient == [2e20])
  }

  @Test("the cross-entropy of a NaN probability is NaN, and so is its gradient")
  func binaryCrossEntropy() {
    let target = NDArray<Float>(shape: [1, 2], elements: [1, 0])
    let (value, gradient) = run([.nan, 0.5]) { $0.binaryCrossEntropy($1, target) }
    #expect(value[0].isNaN)
    #expect(gradient[0].isNaN)
    #expect(gradient[1] == 1)
  }

  @Test(
    "a NaN gradient makes its own element NaN and no other",
    arguments: [UpdateRule.sgd(), .rmsprop(), .adam()]
  )
  func optimizer(_ rule: UpdateRule) {
    var generator = SeededGenerator(seed: 1)
    var network = Network<Float>(
      inputCount: 1,
      plan: [.dense(2, .linear, .glorotUniform)],
      using: &generator
    )
    var optimizer = Optimizer<Float>(rule)
    optimizer.update(
      &network,
      with: [
        NDArray(shape: [1, 2], elements: [.nan, 1]), NDArray(shape: [2], elements: [0, .nan]),
      ]
    )
    #expect(network.parameters[0].value.elements.map(\.isNaN) == [true, false])
    #expect(network.parameters[1].value.elements.map(\.isNaN) == [false, true])
  }
}
