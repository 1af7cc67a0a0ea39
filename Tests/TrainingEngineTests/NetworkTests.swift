import Testing
import TrainingEngine

@Suite("Networks")
struct NetworkTests {
  private func makeNetwork<Scalar>(seed: UInt64 = 3) -> Network<Scalar> {
    var generator = SeededGenerator(seed: seed)
    return Network(
      inputCount: 4,
      plan: [.dense(7, .tanh, .glorotNormal), .dense(2, .linear, .heNormal)],
      using: &generator
    )
  }

  @Test("layers and parameters are described as a client registers them")
  func description() {
    let network: Network<Float> = makeNetwork()
    #expect(network.layers.map(\.name) == ["dense_1", "dense_2"])
    #expect(network.layers.map(\.moduleType) == ["Dense", "Dense"])
    #expect(network.layers.map(\.activation.rawValue) == ["tanh", "none"])
    #expect(network.layers.map(\.fanIn) == [4, 7])
    #expect(network.layers.map(\.fanOut) == [7, 2])
    #expect(network.layers.map(\.initializer.name) == ["glorot_normal", "he_normal"])
    #expect(
      network.parameters.map(\.name) == [
        "dense_1.weight", "dense_1.bias", "dense_2.weight", "dense_2.bias",
      ]
    )
    #expect(network.parameters.map(\.layer) == [0, 0, 1, 1])
    #expect(network.parameters.map(\.role) == [.weight, .bias, .weight, .bias])
    #expect(
      network.parameters.map(\.initialization) == ["glorot_normal", "zeros", "he_normal", "zeros"]
    )
  }

  @Test("a weight is [inputs, units], a bias [units], an activation [batch, units]")
  func shapes() {
    let network: Network<Float> = makeNetwork()
    #expect(network.parameters.map(\.value.shape) == [[4, 7], [7], [7, 2], [2]])
    let derivative = network.differentiate(
      .meanSquaredError,
      inputs: NDArray(repeating: 1, shape: [3, 4]),
      targets: NDArray(repeating: 0, shape: [3, 2])
    )
    #expect(derivative.gradients.map(\.shape) == network.parameters.map(\.value.shape))
    #expect(derivative.activations.map(\.shape) == [[3, 7], [3, 2]])
  }

  @Test("the same seed draws the same network in Float and in Double, up to rounding")
  func precision() {
    let (single, double): (Network<Float>, Network<Double>) = (makeNetwork(), makeNetwork())
    for (single, double) in zip(single.parameters, double.parameters) {
      #expect(single.value.elements == double.value.elements.map(Float.init))
    }
  }

  @Test("biases start at 0, and another seed gives other weights")
  func firstValues() {
    let (one, other): (Network<Float>, Network<Float>) = (
      makeNetwork(seed: 3), makeNetwork(seed: 4)
    )
    #expect(one.parameters[1].value.elements.allSatisfy { $0 == 0 })
    #expect(one.parameters[0].value != other.parameters[0].value)
  }
}
