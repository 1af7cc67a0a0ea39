import GradwatchClient
import Telemetry
import TrainingEngine

extension Experiment {
  /// The model as a collector is told of it: layers in forward order, each with its weight before
  /// its bias.
  func model() throws -> Model {
    let network = Trainer(self).network
    return try Model(
      layers: network.layers.map { layer in
        Layer(
          name: layer.name,
          moduleType: layer.moduleType,
          activation: layer.activation.rawValue,
          normalization: "none",
          isResidual: false,
          fanIn: UInt64(layer.fanIn),
          fanOut: UInt64(layer.fanOut)
        )
      },
      tensors: network.parameters.map { parameter in
        Tensor(
          name: parameter.name,
          layer: UInt32(parameter.layer),
          role: parameter.tensorRole(lastLayer: network.layers.count - 1),
          shape: parameter.value.shape.map(UInt64.init),
          elementCount: UInt64(parameter.value.count),
          initialization: parameter.initialization
        )
      }
    )
  }

  /// What a collector keeps beside the run, as text.
  var hyperparameters: [String: String] {
    var values = [
      "experiment": identifier,
      "data": data.name,
      "loss": loss.rawValue,
      "optimizer": updateRule.name,
      "learning_rate": "\(updateRule.learningRate)",
      "batch_size": "\(batchSize)",
      "epochs": "\(epochs)",
      "seed": "\(seed)",
      "source": source,
    ]
    switch updateRule {
    case .sgd: break
    case .rmsprop(_, let rho, let epsilon):
      values["rho"] = "\(rho)"
      values["epsilon"] = "\(epsilon)"
    case .adam(_, let beta1, let beta2, let epsilon):
      values["beta1"] = "\(beta1)"
      values["beta2"] = "\(beta2)"
      values["epsilon"] = "\(epsilon)"
    }
    return values
  }
}

extension Parameter {
  fileprivate func tensorRole(lastLayer: Int) -> TensorRole {
    switch role {
    case .bias: .bias
    case .weight: layer == lastLayer ? .head : .weight
    }
  }
}

extension Activation {
  /// What the function does at its limits.
  var shape: ActivationSummary.Shape {
    switch self {
    case .linear: .unbounded
    case .relu: .rectified
    case .sigmoid: .bounded(0...1)
    case .tanh: .bounded(-1...1)
    }
  }
}
