import Query
import Telemetry
import TelemetryWire

/// The tensors or layers of which a request asks for one metric, checked.
struct MetricSelection: Sendable {
  /// What a message calls one of them.
  struct Subject {
    /// The tensor; `nil`: a layer is meant.
    var tensor: (id: UInt32, name: String)?
    var layer: UInt32
    var layerName: String
  }

  let metric: Metric
  private let selector: TensorSelector

  /// Takes both from the wire.
  ///
  /// - Throws: ``Telemetry/TelemetryError`` for an overlong glob, an unknown role or an unknown metric.
  init(
    _ metric: Gradwatch_V1_Metric,
    of selector: Gradwatch_V1_Selector
  ) throws(TelemetryError) {
    self.selector = try TensorSelector(wire: selector)
    guard let known = Metric(wire: metric) else {
      throw .outOfRange(field: "metric", expected: "a known metric", found: "\(metric.rawValue)")
    }
    self.metric = known
  }

  /// The indices of the chosen ones, in forward order of the layers.
  func indices(in model: Model) -> [UInt32] {
    switch metric.subject {
    case .tensor: selector.tensors(in: model)
    case .layer: selector.layers(in: model)
    }
  }

  /// One of the chosen ones.
  func subject(_ index: UInt32, in model: Model) -> Subject {
    switch metric.subject {
    case .tensor:
      let tensor = model.tensors[Int(index)]
      let layer = model.layers[Int(tensor.layer)]
      return Subject(tensor: (index, tensor.name), layer: tensor.layer, layerName: layer.name)
    case .layer: return Subject(layer: index, layerName: model.layers[Int(index)].name)
    }
  }
}
