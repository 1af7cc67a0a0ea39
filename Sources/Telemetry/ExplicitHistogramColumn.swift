/// Histograms with bounds of the client's choice, for many tensors at one step.
///
/// They can't be merged with the exponential ones and are kept as what they are.
public struct ExplicitHistogramColumn: Hashable, Sendable {
  /// The tensors that have a histogram; empty if all have one, in registration order.
  public var tensorIDs: [UInt32] = []
  /// The bounds, ascending and finite, one set for all tensors.
  ///
  /// Bucket i holds values from `bounds[i-1]` up to, not including, `bounds[i]`; the first and the last
  /// bucket are open.
  public var bounds: [Double] = []
  /// `bounds.count + 1` counts a tensor, tensor by tensor.
  public var counts: [UInt64] = []

  /// Makes a column without histograms.
  public init() {}
}
