import Telemetry
import TelemetryWire

/// Where in a model an alert is, in words.
struct AlertPlace {
  /// The names of layers, by id; empty if they are not known here.
  var layers: [UInt32: String] = [:]
  /// The names of tensors, by id.
  var tensors: [UInt32: String] = [:]

  /// Knows no names but those in an alert's evidence.
  init() {}

  /// Knows the names of a model.
  init(_ entries: [Gradwatch_V1_LayerEntry]) {
    for entry in entries {
      layers[entry.layerID] = entry.layer.name
      for tensor in entry.tensors { tensors[tensor.tensorID] = tensor.tensor.name }
    }
  }

  /// The place: a tensor, a layer, a range of layers with their number, or the run as a whole.
  func words(_ alert: Gradwatch_V1_Alert) -> String {
    switch alert.scope.scope {
    case nil: "the run as a whole"
    case .tensorID(let id):
      tensors[id]
        ?? (alert.evidence.tensors.count == 1 ? alert.evidence.tensors[0] : "tensor \(id)")
    case .layers(let range): words(range, alert.evidence.layers)
    }
  }

  private func words(_ range: Gradwatch_V1_LayerRange, _ named: [String]) -> String {
    let (first, last) = (range.firstLayerID, range.lastLayerID)
    let count = last >= first ? UInt64(last) - UInt64(first) + 1 : 1
    // Evidence names the affected layers in forward order, but not more than 64.
    let isWhole = named.count < Evidence.maximumNames
    let firstName = layers[first] ?? named.first ?? "layer \(first)"
    let lastName = layers[last] ?? (isWhole ? named.last : nil) ?? "layer \(last)"
    switch count {
    case 1: return firstName
    case 2: return "\(firstName), \(lastName)"
    default: return "\(firstName) to \(lastName) (\(count) layers)"
    }
  }
}
