import Telemetry

/// The coarsest places that explain which layers are affected.
///
/// An alert a layer is a list, not an explanation: if half of all layers agree it is the run, if
/// half of a block's do it is the block (`blocks.3`), and neighbours are one range.
enum Grouping {
  /// Groups layers.
  ///
  /// - Parameters:
  ///   - affected: The affected layers, in forward order.
  ///   - measured: The layers that could have been, in forward order; contains `affected`.
  ///   - anatomy: The model.
  /// - Returns: The places, in forward order, none of which overlap.
  static func scopes(
    of affected: [UInt32],
    among measured: [UInt32],
    _ anatomy: Anatomy
  ) -> [AlertScope] {
    guard let first = affected.first else { return [] }
    if affected.count == 1 { return [.layers(first...first)] }
    if 2 * affected.count >= measured.count { return [.run] }
    let members = Set(affected)
    let blocks = Dictionary(grouping: measured) { anatomy.blocks[Int($0)] }
    let isWhole = blocks.mapValues { layers in
      layers.count > 1 && 2 * layers.filter(members.contains).count >= layers.count
    }
    var scopes: [AlertScope] = []
    var range: ClosedRange<UInt32>?
    for layer in measured {
      let isMember = members.contains(layer) || isWhole[anatomy.blocks[Int(layer)]] == true
      if isMember {
        range = (range?.lowerBound ?? layer)...layer
      } else if let ended = range {
        scopes.append(.layers(ended))
        range = nil
      }
    }
    if let range { scopes.append(.layers(range)) }
    return scopes
  }

  /// Groups tensors: one alone is itself, some are the places of their layers.
  static func scopes(ofTensors tensors: [Int], _ anatomy: Anatomy) -> [AlertScope] {
    guard let first = tensors.first else { return [] }
    if tensors.count == 1 { return [.tensor(UInt32(first))] }
    let all = anatomy.layers(ofTensors: anatomy.model.tensors.indices)
    return scopes(of: anatomy.layers(ofTensors: tensors), among: all, anatomy)
  }
}

extension AlertScope {
  /// Whether `layer` belongs to this place; every layer belongs to the run.
  func contains(layer: UInt32) -> Bool {
    switch self {
    case .run: true
    case .layers(let range): range.contains(layer)
    case .tensor: false
    }
  }

  /// Whether a tensor is this place, or its layer belongs to it.
  func contains(tensor: Int, in model: Model) -> Bool {
    self == .tensor(UInt32(tensor)) || contains(layer: model.tensors[tensor].layer)
  }
}
