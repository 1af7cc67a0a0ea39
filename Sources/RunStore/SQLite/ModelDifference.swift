import Telemetry

/// The first field in which two models differ.
struct ModelDifference: Equatable {
  /// The field, as the protos name it, such as `model.tensors[3].shape`.
  let field: String
  /// What the first model has there.
  let expected: String
  /// What the second model has there.
  let found: String

  /// Compares field by field; `nil` if nothing differs.
  init?(expected: Model, found: Model) {
    guard let difference = Self.first(expected, found) else { return nil }
    self = difference
  }

  private init?<Value: Equatable>(_ field: String, _ expected: Value?, _ found: Value?) {
    guard expected != found else { return nil }
    self.field = field
    self.expected = expected.map { Self.text($0) } ?? "none"
    self.found = found.map { Self.text($0) } ?? "none"
  }

  private static func text(_ value: some Equatable) -> String {
    value as? String == "" ? "none" : "\(value)"
  }

  private static func first(_ lhs: Model, _ rhs: Model) -> ModelDifference? {
    if let counts = ModelDifference(
      "model.layers",
      "\(lhs.layers.count) layers",
      "\(rhs.layers.count) layers"
    )
      ?? ModelDifference(
        "model.tensors",
        "\(lhs.tensors.count) tensors",
        "\(rhs.tensors.count) tensors"
      )
    {
      return counts
    }
    for (index, pair) in zip(lhs.layers, rhs.layers).enumerated() where pair.0 != pair.1 {
      return first(pair.0, pair.1, "model.layers[\(index)]")
    }
    for (index, pair) in zip(lhs.tensors, rhs.tensors).enumerated() where pair.0 != pair.1 {
      return first(pair.0, pair.1, "model.tensors[\(index)]")
    }
    return nil
  }

  private static func first(_ lhs: Layer, _ rhs: Layer, _ place: String) -> ModelDifference? {
    ModelDifference("\(place).name", lhs.name, rhs.name)
      ?? ModelDifference("\(place).module_type", lhs.moduleType, rhs.moduleType)
      ?? ModelDifference("\(place).activation", lhs.activation, rhs.activation)
      ?? ModelDifference("\(place).normalization", lhs.normalization, rhs.normalization)
      ?? ModelDifference("\(place).residual", lhs.isResidual, rhs.isResidual)
      ?? ModelDifference("\(place).fan_in", lhs.fanIn, rhs.fanIn)
      ?? ModelDifference("\(place).fan_out", lhs.fanOut, rhs.fanOut)
  }

  private static func first(_ lhs: Tensor, _ rhs: Tensor, _ place: String) -> ModelDifference? {
    ModelDifference("\(place).name", lhs.name, rhs.name)
      ?? ModelDifference("\(place).layer_id", lhs.layer, rhs.layer)
      ?? ModelDifference("\(place).role", lhs.role, rhs.role)
      ?? ModelDifference("\(place).shape", lhs.shape, rhs.shape)
      ?? ModelDifference("\(place).element_count", lhs.elementCount, rhs.elementCount)
      ?? ModelDifference("\(place).initialization", lhs.initialization, rhs.initialization)
      ?? ModelDifference("\(place).frozen", !lhs.isTrainable, !rhs.isTrainable)
      ?? ModelDifference("\(place).tied_to", lhs.tiedTo, rhs.tiedTo)
  }
}
