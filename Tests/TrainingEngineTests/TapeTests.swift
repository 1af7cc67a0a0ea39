import Testing
import TrainingEngine

@Suite("Reverse mode")
struct TapeTests {
  var generator = SeededGenerator(seed: 11)

  @Test("the gradient of a matrix product is that of finite differences")
  mutating func product() {
    let a = NDArray<Double>.random([4, 3], using: &generator)
    let b = NDArray<Double>.random([3, 5], using: &generator)
    let target = NDArray<Double>.random([4, 5], using: &generator)
    expectGradients(of: [a, b]) { tape, inputs in
      tape.meanSquaredError(tape.product(inputs[0], inputs[1]), target)
    }
  }

  @Test("the gradient of an offset on every row is that of finite differences")
  mutating func addingToRows() {
    let x = NDArray<Double>.random([4, 3], using: &generator)
    let b = NDArray<Double>.random([3], using: &generator)
    let target = NDArray<Double>.random([4, 3], using: &generator)
    expectGradients(of: [x, b]) { tape, inputs in
      tape.meanSquaredError(tape.addingToRows(inputs[0], inputs[1]), target)
    }
  }

  @Test(
    "the gradient of an activation is that of finite differences",
    arguments: Activation.allCases
  )
  mutating func activation(_ activation: Activation) {
    // Away from the kink of ReLU at 0.
    let x = NDArray<Double>(shape: [2, 4], elements: [-3, -1.2, -0.4, -0.02, 0.02, 0.5, 1.3, 4])
    let target = NDArray<Double>.random([2, 4], using: &generator)
    expectGradients(of: [x]) { tape, inputs in
      tape.meanSquaredError(activation(inputs[0], on: tape), target)
    }
  }

  @Test("the gradient of the mean squared error is that of finite differences")
  mutating func meanSquaredError() {
    let prediction = NDArray<Double>.random([3, 2], using: &generator)
    let target = NDArray<Double>.random([3, 2], using: &generator)
    expectGradients(of: [prediction]) { tape, inputs in tape.meanSquaredError(inputs[0], target) }
  }

  @Test("the gradient of the binary cross-entropy is that of finite differences")
  func binaryCrossEntropy() {
    let probability = NDArray<Double>(shape: [5, 1], elements: [0.1, 0.35, 0.5, 0.8, 0.93])
    let target = NDArray<Double>(shape: [5, 1], elements: [0, 1, 0.3, 1, 0])
    expectGradients(of: [probability]) { tape, inputs in
      tape.binaryCrossEntropy(inputs[0], target)
    }
  }

  @Test("a value that is used twice gets the sum of both gradients")
  mutating func usedTwice() {
    let x = NDArray<Double>.random([3, 3], using: &generator)
    let target = NDArray<Double>.random([3, 3], using: &generator)
    expectGradients(of: [x]) { tape, inputs in
      tape.meanSquaredError(tape.product(tape.tanh(inputs[0]), inputs[0]), target)
    }
  }

  @Test("losses have their textbook values")
  func lossValues() {
    let tape = Tape<Double>()
    let prediction = tape.constant(NDArray(shape: [2, 1], elements: [0.8, 0.4]))
    let target = NDArray<Double>(shape: [2, 1], elements: [1, 0])
    let squared = tape.value(of: tape.meanSquaredError(prediction, target))
    let entropy = tape.value(of: tape.binaryCrossEntropy(prediction, target))
    #expect(squared.shape == [] && entropy.shape == [])
    // (0.2² + 0.4²) / 2, and -(ln 0.8 + ln 0.6) / 2.
    expectClose(squared.elements, [0.1], tolerance: 1e-15, "mean squared error")
    expectClose(entropy.elements, [0.3669845875401002], tolerance: 1e-15, "cross-entropy")
  }

  @Test("a certain and wrong probability costs what Keras's clip leaves, and has no slope")
  func clippedProbability() {
    let tape = Tape<Double>()
    let probability = tape.variable(NDArray(shape: [2, 1], elements: [0, 1]))
    let target = NDArray<Double>(shape: [2, 1], elements: [1, 0])
    let loss = tape.binaryCrossEntropy(probability, target)
    tape.backward(from: loss)
    // -ln 10⁻⁷
    expectClose(
      tape.value(of: loss).elements,
      [16.11809565095832],
      tolerance: 1e-9,
      "cross-entropy"
    )
    #expect(tape.gradient(of: probability).elements == [0, 0])
  }

  @Test("constants, and what the loss does not depend on, have gradient 0 in their shape")
  func withoutGradient() {
    let tape = Tape<Double>()
    let constant = tape.constant(NDArray(repeating: 2, shape: [2, 2]))
    let variable = tape.variable(NDArray(repeating: 3, shape: [2, 2]))
    let unused = tape.variable(NDArray(repeating: 3, shape: [4]))
    tape.backward(from: tape.product(constant, variable))
    #expect(tape.gradient(of: constant) == NDArray(repeating: 0, shape: [2, 2]))
    #expect(tape.gradient(of: unused) == NDArray(repeating: 0, shape: [4]))
    #expect(tape.gradient(of: variable) == NDArray(repeating: 4, shape: [2, 2]))
  }
}
