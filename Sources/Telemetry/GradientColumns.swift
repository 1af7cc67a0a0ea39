/// The gradients of one step, a column a statistic and a value a tensor.
///
/// Every column is either empty (not measured) or as long as the tensors that it speaks of: those of
/// ``tensorIDs`` in that order, or, if that is empty, all of the model's in registration order. A tensor
/// that has no gradient (frozen, unused) is left out through ``tensorIDs``. Units: loss per parameter
/// unit. Statistics are of the finite elements; NaN in a cell means that there was none.
public struct GradientColumns: Hashable, Sendable {
  /// The tensors that the columns speak of; empty if they speak of all.
  public var tensorIDs: [UInt32] = []
  /// The L2 norm, before clipping.
  public var norm: [Float] = []
  /// The mean.
  public var mean: [Float] = []
  /// The mean magnitude.
  public var meanAbs: [Float] = []
  /// The population standard deviation.
  public var std: [Float] = []
  /// The smallest element.
  public var min: [Float] = []
  /// The largest element.
  public var max: [Float] = []
  /// The number of elements that are exactly 0.
  public var zeroCount: [UInt64] = []
  /// The number of NaN elements.
  public var nanCount: [UInt64] = []
  /// The number of elements that are +Inf.
  public var positiveInfinityCount: [UInt64] = []
  /// The number of elements that are -Inf.
  public var negativeInfinityCount: [UInt64] = []

  /// Makes columns of which nothing was measured.
  public init() {}

  /// Whether nothing was measured.
  public var isEmpty: Bool { self == GradientColumns() }
}
