import Testing
import TrainingEngine

/// What PyTorch computes of one network and one batch, in `Double`.
struct OracleNetwork: Sendable, CustomTestStringConvertible {
  let name: String
  /// The number of inputs, then of the units of each layer.
  let sizes: [Int]
  let activations: [Activation]
  let lossFunction: LossFunction
  /// `[batch, inputs]`, row-major.
  let inputs: [Double]
  /// `[batch, outputs]`, row-major.
  let targets: [Double]
  /// Weight `[inputs, units]` and bias `[units]` of each layer.
  let parameters: [[Double]]
  let loss: Double
  let gradients: [[Double]]
  /// `[batch, units]` of each layer.
  let activationOutputs: [[Double]]

  var testDescription: String { name }

  var batch: (inputs: NDArray<Double>, targets: NDArray<Double>) {
    let count = inputs.count / sizes[0]
    return (
      NDArray(shape: [count, sizes[0]], elements: inputs),
      NDArray(shape: [count, targets.count / count], elements: targets)
    )
  }

  /// The engine's network with these parameters.
  func makeNetwork() -> Network<Double> {
    let plan = zip(sizes.dropFirst(), activations).map { LayerPlan.dense($0, $1, .zeros) }
    var generator = SeededGenerator(seed: 0)
    var network = Network<Double>(inputCount: sizes[0], plan: plan, using: &generator)
    for (index, elements) in parameters.enumerated() {
      network.parameters[index].value = NDArray(
        shape: network.parameters[index].value.shape,
        elements: elements
      )
    }
    return network
  }
}

/// Where PyTorch's optimizer ends after some updates on one batch.
struct OracleTrajectory: Sendable, CustomTestStringConvertible {
  let name: String
  let rule: UpdateRule
  let updates: Int
  let parameters: [[Double]]

  var testDescription: String { name }
}
