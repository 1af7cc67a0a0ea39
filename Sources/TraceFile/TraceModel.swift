import Telemetry

/// The layers and tensors that the first line of a trace describes.
struct TraceModel {
  private(set) var layers: [Layer] = []
  private(set) var tensors: [Tensor] = []
  /// For each of `acts`, its layer.
  private(set) var activationLayers: [UInt32] = []
  /// The layer that runs through time; `nil` if no layer owns a tensor.
  private(set) var recurrentLayer: UInt32?

  /// Puts the modules in forward order.
  ///
  /// A module is a layer if it owns a tensor or if its activations were recorded; one that does both
  /// is one layer.
  init(_ line: MetaLine) throws(Mismatch) {
    let modules = try Self.modules(of: line)
    let indices = Dictionary(
      uniqueKeysWithValues: modules.enumerated().map { ($1.name, UInt32($0)) }
    )
    let ownsAll = line.allParameters == UInt64(line.params.count)
    let hasNorm = modules.contains { $0.isNorm }
    for (index, module) in modules.enumerated() {
      var layer = Layer(
        // Parameters that a model owns itself have no module path.
        name: module.name.isEmpty ? "(model)" : module.name,
        moduleType: module.type,
        activation: module.activation
      )
      let next = modules.indices.contains(index + 1) ? modules[index + 1] : nil
      if let next, next.isNorm, next.parent == module.parent, next.depth == module.depth + 1 {
        layer.normalization = Self.normalization(next.type)
      } else if ownsAll, !hasNorm {
        layer.normalization = "none"
      }
      if let shape = module.multipliedShape {
        // As torch.nn.init counts: the kernel's size times the channels of either side.
        let kernel = shape.dropFirst(2).reduce(1, &*)
        layer.fanIn = shape[1] &* kernel
        layer.fanOut = shape[0] &* kernel
      }
      layers.append(layer)
    }
    let owners = line.params.map { indices[$0.layer] ?? 0 }
    let names = Dictionary(
      line.params.map { ($0.name, UInt32($0.i)) },
      uniquingKeysWith: { first, _ in first }
    )
    let frozen = line.intent?.frozenLayers ?? []
    for (parameter, layer) in zip(line.params, owners) {
      tensors.append(
        Tensor(
          name: parameter.name,
          layer: layer,
          role: Self.role(of: parameter),
          shape: parameter.shape,
          elementCount: parameter.n,
          initialization: Self.text(parameter.`init`),
          isTrainable: parameter.trainable ?? true
            && !frozen.contains { parameter.layer == $0 || parameter.layer.hasPrefix($0 + ".") },
          // The first of them owns the storage.
          tiedTo: parameter.tied?.compactMap { names[$0] }.filter { $0 < parameter.i }.min()
        )
      )
    }
    activationLayers = (line.acts ?? []).map { indices[$0.name] ?? 0 }
    recurrentLayer = Self.recurrentLayer(layers: layers, tensors: tensors)
  }

  /// The layer that gradients through time are of.
  ///
  /// The one with a hidden-to-hidden matrix; else one whose class says so; else the first that is no
  /// lookup table, since a trace has such gradients only if something in it runs through time.
  private static func recurrentLayer(layers: [Layer], tensors: [Tensor]) -> UInt32? {
    let owners = tensors.sorted { $0.layer < $1.layer }
    let kinds = ["RNN", "LSTM", "GRU", "Recurrent"]
    return owners.first { $0.role == .recurrent }?.layer
      ?? owners.first { owner in
        kinds.contains { layers[Int(owner.layer)].moduleType.contains($0) }
      }?.layer
      ?? owners.first { $0.role != .embedding }?.layer
  }

  private static func role(of parameter: MetaLine.Parameter) -> TensorRole {
    if isNorm(parameter.type) { return .norm }
    if parameter.kind.hasPrefix("weight_hh") { return .recurrent }
    if parameter.type.hasPrefix("Embedding") { return .embedding }
    return parameter.kind.contains("bias") && parameter.shape.count <= 1 ? .bias : .weight
  }

  private static func isNorm(_ type: String) -> Bool { type.contains("Norm") }

  /// `BatchNorm2d` is `batch_norm`.
  private static func normalization(_ type: String) -> String {
    for (kind, name) in [
      ("BatchNorm", "batch_norm"), ("LayerNorm", "layer_norm"), ("GroupNorm", "group_norm"),
      ("InstanceNorm", "instance_norm"), ("RMSNorm", "rms_norm"),
    ] where type.contains(kind) {
      return name
    }
    return type.lowercased()
  }

  /// What was said, or nothing where the trace says that it does not know.
  private static func text(_ words: String?) -> String { words == "-" ? "" : words ?? "" }
}

extension TraceModel {
  /// What both kinds of rows say of one module.
  private struct Module {
    var name: String
    var type: String
    var parent: String
    var depth: Int
    var activation: String
    /// The shape of the tensor that multiplies the module's input, if it is known which that is.
    var multipliedShape: [UInt64]?

    var isNorm: Bool { TraceModel.isNorm(type) }
  }

  /// The depth of what the forward pass never used: behind everything else.
  private static let unused = Int(Int32.max)

  /// The modules in the order of their first use.
  private static func modules(of line: MetaLine) throws(Mismatch) -> [Module] {
    var modules: [Module] = []
    var places: [String: Int] = [:]
    for parameter in line.params {
      guard let place = places[parameter.layer] else {
        places[parameter.layer] = modules.count
        modules.append(
          Module(
            name: parameter.layer,
            type: parameter.type,
            parent: parameter.parent ?? "",
            depth: parameter.depth ?? unused,
            activation: text(parameter.act).lowercased(),
            multipliedShape: multipliedShape(of: parameter)
          )
        )
        continue
      }
      modules[place].depth = min(modules[place].depth, parameter.depth ?? unused)
      modules[place].multipliedShape =
        modules[place].multipliedShape
        ?? multipliedShape(of: parameter)
    }
    var called: Set<String> = []
    for activation in line.acts ?? [] {
      guard called.insert(activation.name).inserted else {
        throw Mismatch(
          field: "acts[\(activation.i)].name",
          expected: "a name that no other row has",
          found: "a repeated one"
        )
      }
      guard places[activation.name] == nil else { continue }
      places[activation.name] = modules.count
      modules.append(
        Module(
          name: activation.name,
          type: activation.type,
          parent: parent(of: activation.name),
          depth: activation.depth ?? unused,
          activation: ""
        )
      )
    }
    return modules.enumerated()
      .sorted { ($0.element.depth, $0.offset) < ($1.element.depth, $1.offset) }
      .map(\.element)
  }

  /// The shape, output by input, of a matrix or kernel that is applied to a module's input.
  ///
  /// A lookup table multiplies nothing, and of a custom module's matrices it is not known which does.
  private static func multipliedShape(of parameter: MetaLine.Parameter) -> [UInt64]? {
    guard parameter.shape.count >= 2, !parameter.type.hasPrefix("Embedding"),
      parameter.kind == "weight" || parameter.kind.hasPrefix("weight_ih")
    else { return nil }
    return parameter.shape
  }

  private static func parent(of name: String) -> String {
    name.lastIndex(of: ".").map { String(name[..<$0]) } ?? ""
  }
}
