import Testing
import TrainingEngine

/// What PyTorch computes of one network and one batch, in `Double`.
struct OracleNetwork: Sendable, CustomTestStringConvertible {
  let name: String
  let plan: [LayerPlan]
  let inputShape: [Int]
  /// Inputs are tokens below this; `nil`: a wave.
  let vocabulary: Int?
  let batch: Int
  let loss: LossFunction
  let targetShape: [Int]
  let penalties: Penalties
  /// The loss.
  let value: Double
  /// In the order of the network's parameters.
  let gradients: [[Double]]
  /// Of each layer.
  let activations: [[Double]?]
  let timeStepNorms: [Double]

  var testDescription: String { name }

  var inputs: NDArray<Double> {
    let shape = [batch] + inputShape
    return vocabulary.map { .whole(shape, below: $0) } ?? .wave(shape, seed: 0)
  }

  /// The targets of a network with `classes` outputs.
  func targets(classes: Int) -> NDArray<Double> {
    switch loss {
    case .meanSquaredError: .wave(targetShape, seed: 50)
    case .binaryCrossEntropy: .whole(targetShape, below: 2)
    case .crossEntropy: .whole(targetShape, below: classes)
    }
  }

  /// The engine's network, with waves as its parameters.
  func makeNetwork() throws -> Network<Double> {
    var generator = SeededGenerator(seed: 0)
    var network = try Network<Double>(inputShape: inputShape, plan: plan, using: &generator)
    network.fillWithWaves()
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

/// What PyTorch makes of two gradients, `[3, 2]` and `[4]`, waves of seeds 1 and 2.
struct OracleClipping: Sendable {
  let plan: ClippingPlan
  let gradients: [[Double]]
}

/// The rates of PyTorch's schedulers, of a rate of 1.
struct OracleSchedule: Sendable, CustomTestStringConvertible {
  let schedule: RateSchedule
  let factors: [Double]

  var testDescription: String { schedule.name }
}

extension Network<Double> {
  /// Makes all parameters waves: seeds count from 1, the amplitude is 0.5.
  mutating func fillWithWaves() {
    for index in parameters.indices {
      let shape = parameters[index].value.shape
      parameters[index].value = .wave(shape, seed: Double(index + 1), amplitude: 0.5)
    }
  }
}
