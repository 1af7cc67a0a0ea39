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
    arguments: [
      UpdateRule.sgd(), .sgd(momentum: 0.9, weightDecay: 0.1), .rmsprop(), .adam(),
      .adam(weightDecay: 0.1),
    ]
  )
  func optimizer(_ rule: UpdateRule) throws {
    var generator = SeededGenerator(seed: 1)
    var network = try Network<Float>(
      inputShape: [1],
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

  @Test(
    "an infinite parameter stays so, unless something is taken from it",
    arguments: [UpdateRule.sgd(), .sgd(momentum: 0.9), .rmsprop(), .adam()]
  )
  func infiniteParameter(_ rule: UpdateRule) throws {
    var generator = SeededGenerator(seed: 1)
    var network = try Network<Float>(
      inputShape: [1],
      plan: [.dense(1, .linear, .constant(.infinity))],
      using: &generator
    )
    var optimizer = Optimizer<Float>(rule)
    optimizer.update(
      &network,
      with: [NDArray(repeating: 1, shape: [1, 1]), NDArray(repeating: 1, shape: [1])]
    )
    #expect(network.parameters[0].value.elements == [.infinity])
  }

  @Test("the other activations map NaN to NaN, and infinities as their formulas do")
  func activations() {
    let inputs: [Float] = [.nan, .infinity, -.infinity]
    for activation in [Activation.leakyReLU, .gelu, .silu] {
      let (value, gradient) = run(inputs) { activation($1, on: $0) }
      #expect(value[0].isNaN && value[1] == .infinity, "\(activation)")
      // -Inf · 0
      #expect(activation == .leakyReLU ? value[2] == -.infinity : value[2].isNaN, "\(activation)")
      #expect(gradient[0].isNaN != (activation == .leakyReLU), "\(activation)")
    }
  }

  @Test("a NaN or infinite logit makes its own row's gradient NaN and no other, -Inf is no class")
  func crossEntropy() {
    let tape = Tape<Float>()
    let x = tape.variable(
      NDArray(shape: [4, 2], elements: [.nan, 1, .infinity, 1, 0, 0, -.infinity, 3])
    )
    let loss = tape.crossEntropy(x, NDArray(shape: [4], elements: [0, 1, 1, 1]))
    tape.backward(from: loss)
    #expect(tape.value(of: loss).elements[0].isNaN)
    let gradient = tape.gradient(of: x).elements
    #expect(gradient[..<4].allSatisfy { $0.isNaN })
    #expect(gradient[4...] == [0.125, -0.125, 0, 0])
  }

  @Test("a NaN spreads to its own group of a normalization")
  func normalized() {
    let tape = Tape<Float>()
    let x = tape.constant(NDArray(shape: [2, 2], elements: [.nan, 1, 2, 3]))
    let (gain, offset) = (
      tape.constant(NDArray(repeating: 1, shape: [2])),
      tape.constant(NDArray(repeating: 0, shape: [2]))
    )
    let byPosition = tape.value(of: tape.normalized(x, gain: gain, offset: offset, over: .position))
    #expect(byPosition.elements.map(\.isNaN) == [true, true, false, false])
    let byChannel = tape.value(of: tape.normalized(x, gain: gain, offset: offset, over: .channel))
    #expect(byChannel.elements.map(\.isNaN) == [true, false, true, false])
  }

  @Test("a NaN in a sequence reaches every state after it, and none before it")
  func recurrence() throws {
    for cell in [RecurrentCell.plain(.tanh), .longShortTermMemory, .gatedUnit] {
      var generator = SeededGenerator(seed: 1)
      let network = try Network<Float>(
        inputShape: [4, 1],
        plan: [.recurrent(cell, 2, returnsSequence: true)],
        using: &generator
      )
      let derivative = network.differentiate(
        .meanSquaredError,
        inputs: NDArray(shape: [1, 4, 1], elements: [1, 1, .nan, 1]),
        targets: NDArray(repeating: 0, shape: [1, 4, 2]),
        using: &generator
      )
      let states = derivative.activations[0]?.elements.map(\.isNaN)
      #expect(states == [false, false, false, false, true, true, true, true])
      #expect(derivative.loss.isNaN)
      #expect(derivative.gradients.allSatisfy { $0.elements.contains(where: \.isNaN) })
    }
  }

  @Test("attention: a NaN value reaches every position that sees it")
  func attention() {
    let tape = Tape<Float>()
    var x = NDArray<Float>(repeating: 1, shape: [1, 3, 3])
    // The value at the second position; a softmax's 0 before it still makes 0 · NaN.
    x.elements[5] = .nan
    let y = tape.value(of: tape.attention(tape.constant(x), headCount: 1, isCausal: true))
    #expect(y.elements.suffix(2).allSatisfy { $0.isNaN })
  }
}
