import Telemetry

/// Where each row of a trace belongs, and what every one of its reports has in common.
struct TraceLayout: Sendable {
  /// Row `i` of `p` is tensor `i`, so only their number counts.
  let tensorCount: Int
  /// The number of layers.
  let layerCount: Int
  /// For each row of `a`, its layer.
  let activationLayers: [UInt32]
  /// The layer that gradients through time belong to; `nil` if no layer owns a tensor.
  let recurrentLayer: UInt32?
  /// Samples of each step; `nil` if unknown.
  let batchSize: UInt64?
  /// Whether gradients are multiplied by the loss scale.
  let gradientsAreScaled: Bool
}

extension TraceLayout {
  init(_ line: MetaLine, _ model: TraceModel) {
    tensorCount = model.tensors.count
    layerCount = model.layers.count
    activationLayers = model.activationLayers
    recurrentLayer = model.recurrentLayer
    batchSize = line.batchSize
    gradientsAreScaled = line.amp?.gradsAreScaled ?? false
  }
}
