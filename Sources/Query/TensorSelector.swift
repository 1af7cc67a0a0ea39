public import Telemetry

/// Which tensors or layers of a model are meant; members that are set must all match.
public struct TensorSelector: Sendable, Hashable {
  /// Layers whose name matches.
  public var layer: Glob
  /// Tensors whose name matches; `nil`: all.
  public var tensor: Glob?
  /// Tensors of these roles; empty: all.
  public var roles: Set<TensorRole>

  /// Makes a selector, of everything unless told otherwise.
  public init(layer: String = "", tensor: String = "", roles: Set<TensorRole> = []) {
    self.layer = Glob(layer)
    self.tensor = tensor.isEmpty ? nil : Glob(tensor)
    self.roles = roles
  }

  /// The indices of the tensors that match, in forward order of their layers, then by index.
  public func tensors(in model: Model) -> [UInt32] {
    let chosen = model.layers.map { layer.matches($0.name) }
    let matching = model.tensors.indices.filter { index in
      let entry = model.tensors[index]
      return chosen[Int(entry.layer)] && (roles.isEmpty || roles.contains(entry.role))
        && (tensor?.matches(entry.name) ?? true)
    }
    return matching.sorted {
      (model.tensors[$0].layer, $0) < (model.tensors[$1].layer, $1)
    }.map(UInt32.init)
  }

  /// The indices of the layers that match, in forward order.
  ///
  /// If the selector speaks of tensors, only layers that own a matching one.
  public func layers(in model: Model) -> [UInt32] {
    if tensor != nil || !roles.isEmpty {
      return Set(tensors(in: model).map { model.tensors[Int($0)].layer }).sorted()
    }
    return model.layers.indices.filter { layer.matches(model.layers[$0].name) }.map(UInt32.init)
  }
}
