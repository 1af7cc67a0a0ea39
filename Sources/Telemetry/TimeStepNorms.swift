/// The gradient norms of one recurrent layer, back-propagated through time, at one optimizer step.
public struct TimeStepNorms: Hashable, Sendable {
  /// The index of the layer.
  public var layer: UInt32
  /// The time steps of the unrolled sequence, ascending from 0.
  public var positions: [UInt32]
  /// The L2 norm of the loss's gradient by the hidden state at each position.
  public var norms: [Float]

  /// Makes a profile; `positions` and `norms` are equally long.
  public init(layer: UInt32, positions: [UInt32], norms: [Float]) {
    self.layer = layer
    self.positions = positions
    self.norms = norms
  }
}
