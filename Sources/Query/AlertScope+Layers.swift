import Telemetry

extension AlertScope {
  /// The layers by index, from the first to the last that are affected; `nil` if it is the run as a whole, or a tensor that the model
  /// does not have.
  func layers(in model: Model) -> ClosedRange<UInt32>? {
    switch self {
    case .run: return nil
    case .layers(let range): return range
    case .tensor(let index):
      guard model.tensors.indices.contains(Int(index)) else { return nil }
      let layer = model.tensors[Int(index)].layer
      return layer...layer
    }
  }
}
