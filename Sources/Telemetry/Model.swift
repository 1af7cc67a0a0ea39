/// The layers and tensors of a run, registered once; reports speak of them by index.
public struct Model: Hashable, Sendable {
  /// The layers, in forward order.
  public let layers: [Layer]
  /// The tensors, in registration order.
  public let tensors: [Tensor]

  /// The most layers, and the most tensors, that a model may have.
  ///
  /// A mixture of experts of 60 layers with 256 experts of 3 matrices has 46,000 tensors.
  public static let maximumCount = 131_072

  /// Takes the model that a client registered, and checks it.
  ///
  /// - Throws: ``TelemetryError`` for a bad or repeated name, an index out of range, a tensor without
  ///   elements, or a shape that does not multiply to the element count.
  public init(layers: [Layer], tensors: [Tensor]) throws(TelemetryError) {
    try Self.checkCount(layers.count, field: "model.layers")
    try Self.checkCount(tensors.count, field: "model.tensors")
    var names: Set<String> = []
    for (index, layer) in layers.enumerated() {
      let field = "model.layers[\(index)]"
      try Name.check(layer.name, field: field + ".name")
      guard names.insert(layer.name).inserted else {
        throw .outOfRange(
          field: field + ".name",
          expected: "a name that no other layer has",
          found: "a repeated one"
        )
      }
      let labels = [
        ("module_type", layer.moduleType), ("activation", layer.activation),
        ("normalization", layer.normalization),
      ]
      for (label, text) in labels where !text.isEmpty {
        try Name.check(text, field: field + "." + label)
      }
    }
    names.removeAll(keepingCapacity: true)
    for (index, tensor) in tensors.enumerated() {
      let field = "model.tensors[\(index)]"
      try Name.check(tensor.name, field: field + ".name")
      guard names.insert(tensor.name).inserted else {
        throw .outOfRange(
          field: field + ".name",
          expected: "a name that no other tensor has",
          found: "a repeated one"
        )
      }
      if !tensor.initialization.isEmpty {
        try Name.check(tensor.initialization, field: field + ".initialization")
      }
      guard Int(tensor.layer) < layers.count else {
        throw .unknownIndex(
          column: field + ".layer_id",
          index: Int(tensor.layer),
          count: layers.count
        )
      }
      if let tied = tensor.tiedTo, Int(tied) >= tensors.count || Int(tied) == index {
        throw .outOfRange(
          field: field + ".tied_to",
          expected: "the index of another tensor",
          found: "\(tied)"
        )
      }
      try Self.checkShape(of: tensor, field: field)
    }
    self.layers = layers
    self.tensors = tensors
  }

  private static func checkCount(_ count: Int, field: String) throws(TelemetryError) {
    guard count <= maximumCount else {
      throw .outOfRange(field: field, expected: "at most \(maximumCount)", found: "\(count)")
    }
  }

  private static func checkShape(of tensor: Tensor, field: String) throws(TelemetryError) {
    guard tensor.elementCount > 0, tensor.elementCount <= UInt64(Int64.max) else {
      throw .outOfRange(
        field: field + ".element_count",
        expected: "1 to 2^63-1",
        found: "\(tensor.elementCount)"
      )
    }
    guard tensor.shape.count <= 16 else {
      throw .outOfRange(
        field: field + ".shape",
        expected: "at most 16 dimensions",
        found: "\(tensor.shape.count)"
      )
    }
    guard !tensor.shape.isEmpty else { return }
    var product: UInt64 = 1
    for dimension in tensor.shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
      guard !overflow else {
        throw .outOfRange(
          field: field + ".shape",
          expected: "fewer than 2^64 elements",
          found: "more"
        )
      }
      product = next
    }
    guard product == tensor.elementCount else {
      throw .outOfRange(
        field: field + ".shape",
        expected: "\(tensor.elementCount) elements, as in element_count",
        found: "\(product)"
      )
    }
  }
}
