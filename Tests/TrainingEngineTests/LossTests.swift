import Testing
import TrainingEngine

@Suite("Losses")
struct LossTests {
  @Test("the gradient of a loss is that of finite differences, and its shape []")
  func gradients() {
    let target = NDArray<Double>.wave([3, 2], seed: 7)
    expectGradients(of: [[3, 2]], result: []) { $0.meanSquaredError($1[0], target) }

    let probability = NDArray<Double>(shape: [5, 1], elements: [0.1, 0.35, 0.5, 0.8, 0.93])
    let truth = NDArray<Double>(shape: [5, 1], elements: [0, 1, 0.3, 1, 0])
    expectGradients(of: [probability], result: []) { $0.binaryCrossEntropy($1[0], truth) }

    expectGradients(of: [[4, 5]], result: []) { $0.crossEntropy($1[0], .whole([4], below: 5)) }
    expectGradients(of: [[2, 3, 5]], result: []) {
      $0.crossEntropy($1[0], .whole([2, 3], below: 5))
    }
  }

  @Test("losses have their textbook values")
  func values() {
    let tape = Tape<Double>()
    let prediction = tape.constant(NDArray(shape: [2, 1], elements: [0.8, 0.4]))
    let target = NDArray<Double>(shape: [2, 1], elements: [1, 0])
    let squared = tape.value(of: tape.meanSquaredError(prediction, target))
    let entropy = tape.value(of: tape.binaryCrossEntropy(prediction, target))
    // (0.2² + 0.4²) / 2, and -(ln 0.8 + ln 0.6) / 2.
    expectClose(squared.elements, [0.1], tolerance: 1e-15, "mean squared error")
    expectClose(entropy.elements, [0.3669845875401002], tolerance: 1e-15, "cross-entropy")
    // Four classes, all alike: ln 4.
    let logits = tape.constant(NDArray(repeating: 3, shape: [2, 4]))
    let classes = tape.crossEntropy(logits, NDArray(shape: [2], elements: [0, 3]))
    expectClose(tape.value(of: classes).elements, [1.3862943611198906], tolerance: 1e-15, "classes")
  }

  @Test("the cross-entropy of large numbers neither overflows nor loses its precision")
  func largeNumbers() {
    let tape = Tape<Float>()
    let logits = tape.constant(NDArray(shape: [1, 2], elements: [30_000, 29_999]))
    let loss = tape.crossEntropy(logits, NDArray(shape: [1], elements: [0]))
    // ln(1 + e⁻¹); after adding 30,000, only 0.3125 would be left.
    expectClose(
      tape.value(of: loss).elements.map { Double($0) },
      [0.31326168],
      tolerance: 1e-7,
      "loss"
    )
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

  @Test("a number that is no class is a programmer error")
  func noClass() async {
    await #expect(processExitsWith: .failure) {
      let tape = Tape<Double>()
      let logits = tape.constant(NDArray(repeating: 0, shape: [1, 2]))
      _ = tape.crossEntropy(logits, NDArray(shape: [1], elements: [2]))
    }
  }
}
