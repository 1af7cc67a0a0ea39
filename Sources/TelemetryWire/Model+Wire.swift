public import Telemetry

extension Model {
  /// Takes a model from the wire and checks it.
  ///
  /// - Throws: ``TelemetryError`` as ``Telemetry/Model`` does, or for an unknown role.
  public init(wire: Gradwatch_V1_Model) throws(TelemetryError) {
    var tensors: [Tensor] = []
    tensors.reserveCapacity(wire.tensors.count)
    for (index, tensor) in wire.tensors.enumerated() {
      guard let role = TensorRole(wire: tensor.role) else {
        throw .outOfRange(
          field: "model.tensors[\(index)].role",
          expected: "a known role",
          found: "\(tensor.role.rawValue)"
        )
      }
      tensors.append(
        Tensor(
          name: tensor.name,
          layer: tensor.layerID,
          role: role,
          shape: tensor.shape,
          elementCount: tensor.elementCount,
          initialization: tensor.initialization,
          isTrainable: !tensor.frozen,
          tiedTo: tensor.hasTiedTo ? tensor.tiedTo : nil
        )
      )
    }
    try self.init(
      layers: wire.layers.map { layer in
        Layer(
          name: layer.name,
          moduleType: layer.moduleType,
          activation: layer.activation,
          normalization: layer.normalization,
          isResidual: layer.hasResidual ? layer.residual : nil,
          fanIn: layer.hasFanIn ? layer.fanIn : nil,
          fanOut: layer.hasFanOut ? layer.fanOut : nil
        )
      },
      tensors: tensors
    )
  }
}

extension Gradwatch_V1_Model {
  /// Makes the wire form of a model.
  public init(_ model: Model) {
    self.init()
    layers = model.layers.map(Gradwatch_V1_Layer.init)
    tensors = model.tensors.map(Gradwatch_V1_Tensor.init)
  }
}

extension Gradwatch_V1_Layer {
  /// Makes the wire form of a layer.
  public init(_ layer: Layer) {
    self.init()
    name = layer.name
    moduleType = layer.moduleType
    activation = layer.activation
    normalization = layer.normalization
    if let isResidual = layer.isResidual { residual = isResidual }
    if let count = layer.fanIn { fanIn = count }
    if let count = layer.fanOut { fanOut = count }
  }
}

extension Gradwatch_V1_Tensor {
  /// Makes the wire form of a tensor.
  public init(_ tensor: Tensor) {
    self.init()
    name = tensor.name
    layerID = tensor.layer
    role = Gradwatch_V1_TensorRole(tensor.role)
    shape = tensor.shape
    elementCount = tensor.elementCount
    initialization = tensor.initialization
    frozen = !tensor.isTrainable
    if let tied = tensor.tiedTo { tiedTo = tied }
  }
}
