import Testing
import TrainingEngine

@Suite("Networks")
struct NetworkTests {
  private func makeNetwork<Scalar>(
    _ inputShape: [Int] = [4],
    _ plan: [LayerPlan] = [.dense(7, .tanh, .glorotNormal), .dense(2, .linear, .heNormal)],
    seed: UInt64 = 3
  ) throws -> Network<Scalar> {
    var generator = SeededGenerator(seed: seed)
    return try Network(inputShape: inputShape, plan: plan, using: &generator)
  }

  @Test("layers and parameters are described as a client registers them")
  func description() throws {
    let network: Network<Float> = try makeNetwork()
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

  @Test(
    "a transformer's layers are named by their block, and marked where a skip leads around them"
  )
  func blocks() throws {
    let block = LayerPlan.block([
      .residual([.normalization(.layer), .attention(heads: 2)]),
      .residual([.normalization(.layer), .dense(6, .gelu)]),
    ])
    let network: Network<Float> = try makeNetwork(
      [5],
      [.embedding(count: 9, width: 4), .positions(), block, .dense(9)]
    )
    #expect(
      network.layers.map(\.name) == [
        "embedding_1", "positions_1", "blocks.0.layer_norm_1", "blocks.0.attention_input_1",
        "blocks.0.attention_output_1", "blocks.0.layer_norm_2", "blocks.0.dense_1",
        "blocks.0.projection_1", "dense_2",
      ]
    )
    #expect(
      network.layers.map(\.isResidual) == [
        false, false, true, true, true, true, true, false, false,
      ]
    )
    #expect(network.layers[6].activation == .gelu)
    #expect(network.layers[3].fanOut == 12)
    #expect(Set(network.parameters.map(\.name)).count == network.parameters.count)
  }

  /// A plan, what goes in, what comes out for one sample, and the shapes of its parameters.
  struct Shapes: Sendable, CustomTestStringConvertible {
    let input: [Int]
    let plan: LayerPlan
    let output: [Int]
    let parameters: [[Int]]

    var testDescription: String { "\(plan) of \(input)" }
  }

  static let shapes = [
    Shapes(input: [4], plan: .dense(3), output: [3], parameters: [[4, 3], [3]]),
    Shapes(input: [5, 4], plan: .dense(3), output: [5, 3], parameters: [[4, 3], [3]]),
    Shapes(
      input: [4],
      plan: .dense(3, .parametricReLU, normalization: .batch),
      output: [3],
      parameters: [[4, 3], [3], [3], [1]]
    ),
    Shapes(
      input: [7, 2],
      plan: .convolution1D(3, size: 5, stride: 2),
      output: [4, 3],
      parameters: [[10, 3], [3]]
    ),
    Shapes(
      input: [5, 4, 2],
      plan: .convolution2D(3, size: 3, stride: 2),
      output: [3, 2, 3],
      parameters: [[18, 3], [3]]
    ),
    Shapes(
      input: [5, 4, 2],
      plan: .convolution2D(6, size: 1, normalization: .group(3)),
      output: [5, 4, 6],
      parameters: [[2, 6], [6], [6]]
    ),
    Shapes(
      input: [7, 2],
      plan: .recurrent(.plain(.tanh), 3),
      output: [3],
      parameters: [[2, 3], [3], [3, 3]]
    ),
    Shapes(
      input: [7, 2],
      plan: .recurrent(.plain(.tanh), 3, normalization: .layer, returnsSequence: true),
      output: [7, 3],
      parameters: [[2, 3], [3, 3], [3], [3]]
    ),
    Shapes(
      input: [7, 2],
      plan: .recurrent(.longShortTermMemory, 3, returnsSequence: true),
      output: [7, 3],
      parameters: [[2, 12], [12], [3, 12]]
    ),
    Shapes(
      input: [7, 2],
      plan: .recurrent(.gatedUnit, 3),
      output: [3],
      parameters: [[2, 9], [9], [3, 9], [9]]
    ),
    Shapes(
      input: [5, 4],
      plan: .attention(heads: 2),
      output: [5, 4],
      parameters: [[4, 12], [12], [4, 4], [4]]
    ),
    Shapes(
      input: [5, 4],
      plan: .normalization(.layer),
      output: [5, 4],
      parameters: [[4], [4]]
    ),
    Shapes(input: [5, 4], plan: .positions(), output: [5, 4], parameters: [[5, 4]]),
    Shapes(
      input: [5, 4],
      plan: .residual([.dense(4)]),
      output: [5, 4],
      parameters: [[4, 4], [4]]
    ),
    Shapes(
      input: [5, 4, 2],
      plan: .residual([.convolution2D(3, size: 3, stride: 2)]),
      output: [3, 2, 3],
      parameters: [[18, 3], [3], [2, 3]]
    ),
    Shapes(
      input: [7, 2],
      plan: .residual([.convolution1D(2, size: 3, stride: 3)]),
      output: [3, 2],
      parameters: [[6, 2], [2], [2, 2]]
    ),
    // Of a stride that two dimensions don't show alike, the one that fits both.
    Shapes(
      input: [2, 5, 2],
      plan: .residual([.convolution2D(3, size: 3, stride: 3)]),
      output: [1, 2, 3],
      parameters: [[18, 3], [3], [2, 3]]
    ),
  ]

  @Test("a layer's shapes are those of its documentation", arguments: shapes)
  func layerShapes(_ expected: Shapes) throws {
    let network: Network<Float> = try makeNetwork(expected.input, [expected.plan])
    #expect(network.outputShape == expected.output)
    #expect(network.parameters.map(\.value.shape) == expected.parameters)
    var generator = SeededGenerator(seed: 1)
    let derivative = network.differentiate(
      .meanSquaredError,
      inputs: NDArray(repeating: 1, shape: [3] + expected.input),
      targets: NDArray(repeating: 0, shape: [3] + expected.output),
      using: &generator
    )
    #expect(derivative.gradients.map(\.shape) == expected.parameters)
    #expect(derivative.activations.count == network.layers.count)
    let isRecurrent = network.parameters.contains { $0.role == .recurrent }
    #expect(derivative.timeStepNorms.count == (isRecurrent ? expected.input[0] : 0))
    for activation in derivative.activations.compactMap(\.self) {
      #expect(activation.shape[0] == 3)
    }
  }

  @Test("layers without parameters: shapes, and what a network needs at least")
  func plainLayers() throws {
    let network: Network<Float> = try makeNetwork(
      [4, 6, 2],
      [
        .convolution2D(3, size: 3), .activation(.relu), .dropout(0.5), .normalization(.none),
        .residual([]), .meanOverPositions, .dense(5),
      ]
    )
    #expect(network.outputShape == [5] && network.layers.count == 2)
    let flat: Network<Float> = try makeNetwork([4, 6, 2], [.flatten, .dense(5)])
    #expect(flat.parameters[0].value.shape == [48, 5])
  }

  @Test("the same seed draws the same network in Float and in Double, up to rounding")
  func precision() throws {
    let (single, double): (Network<Float>, Network<Double>) = (try makeNetwork(), try makeNetwork())
    for (single, double) in zip(single.parameters, double.parameters) {
      #expect(single.value.elements == double.value.elements.map { Float($0) })
    }
  }

  @Test("biases start at 0, and another seed gives other weights")
  func firstValues() throws {
    let (one, other): (Network<Float>, Network<Float>) = (
      try makeNetwork(seed: 3), try makeNetwork(seed: 4)
    )
    #expect(one.parameters[1].value.elements.allSatisfy { $0 == 0 })
    #expect(one.parameters[0].value != other.parameters[0].value)
  }

  @Test("a carry bias is the first bias of the gate that keeps the state, the second one")
  func carryBias() throws {
    for (cell, gates) in [(RecurrentCell.longShortTermMemory, 4), (.gatedUnit, 3)] {
      let network: Network<Double> = try makeNetwork([5, 1], [.recurrent(cell, 2, carryBias: 3)])
      let expected = (0..<2 * gates).map { (2..<4).contains($0) ? 3.0 : 0 }
      #expect(network.parameters[1].value.elements == expected)
    }
  }

  @Test("a recurrent weight's fan-in is the number of its units, whatever the inputs")
  func recurrentFan() throws {
    let network: Network<Double> = try makeNetwork(
      [2, 1],
      [.recurrent(.plain(.tanh), 100, recurrent: .leCunNormal)]
    )
    let moments = Moments(network.parameters[2].value.elements)
    #expect((moments.variance * 100 - 1).magnitude < 0.06)
  }

  @Test(
    "Float and Double agree to single precision on every kind of layer",
    arguments: OracleNetwork.all
  )
  func singlePrecision(_ oracle: OracleNetwork) throws {
    let double = try oracle.makeNetwork()
    var generator = SeededGenerator(seed: 0)
    var single = try Network<Float>(
      inputShape: oracle.inputShape,
      plan: oracle.plan,
      using: &generator
    )
    for (index, parameter) in double.parameters.enumerated() {
      single.parameters[index].value = parameter.value.rounded
    }
    let derivative = single.differentiate(
      oracle.loss,
      inputs: oracle.inputs.rounded,
      targets: oracle.targets(classes: double.outputShape.last ?? 0).rounded,
      penalties: oracle.penalties,
      using: &generator
    )
    expectClose([Double(derivative.loss)], [oracle.value], tolerance: 1e-5, "loss")
    for (found, expected) in zip(derivative.gradients, oracle.gradients) {
      expectClose(found.elements.map { Double($0) }, expected, tolerance: 2e-5, "gradient")
    }
  }

  @Test("dropout draws from the generator it is given, and leaves it further on")
  func dropout() throws {
    let network: Network<Float> = try makeNetwork([4], [.dropout(0.5), .dense(20)])
    var generator = SeededGenerator(seed: 5)
    let losses = (0..<3).map { _ in
      network.differentiate(
        .meanSquaredError,
        inputs: NDArray(repeating: 1, shape: [3, 4]),
        targets: NDArray(repeating: 0, shape: [3, 20]),
        using: &generator
      ).loss
    }
    #expect(Set(losses).count > 1)
  }
}

extension NDArray<Double> {
  /// The same numbers in single precision.
  fileprivate var rounded: NDArray<Float> {
    NDArray<Float>(shape: shape, elements: elements.map { Float($0) })
  }
}
