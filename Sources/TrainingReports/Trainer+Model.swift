import Telemetry
import TrainingEngine

extension Trainer {
  /// The model as a collector is told of it.
  func model() throws(TelemetryError) -> Model {
    let lastLayer = network.layers.lastIndex { $0.moduleType == "Dense" }
    return try Model(
      layers: network.layers.map { layer in
        Layer(
          name: layer.name,
          moduleType: layer.moduleType,
          activation: layer.activation.rawValue,
          normalization: layer.normalization.name,
          isResidual: layer.isResidual,
          fanIn: UInt64(layer.fanIn),
          fanOut: UInt64(layer.fanOut)
        )
      },
      tensors: network.parameters.enumerated().map { index, parameter in
        Tensor(
          name: parameter.name,
          layer: UInt32(parameter.layer),
          role: parameter.tensorRole(isLastLayer: parameter.layer == lastLayer),
          shape: parameter.value.shape.map(UInt64.init),
          elementCount: UInt64(parameter.value.count),
          initialization: parameter.initialization,
          isTrainable: !frozenParameters.contains(index)
        )
      }
    )
  }
}

extension Parameter {
  fileprivate func tensorRole(isLastLayer: Bool) -> TensorRole {
    switch role {
    case .bias: .bias
    case .weight: isLastLayer ? .head : .weight
    case .norm: .norm
    case .embedding: .embedding
    case .recurrent: .recurrent
    }
  }
}
