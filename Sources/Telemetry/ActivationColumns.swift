/// The activations of one step, a column a statistic and a value a layer.
///
/// Every column is either empty (not measured) or as long as the layers that it speaks of. NaN in a
/// cell means that the statistic has no meaning for that layer (saturation of a ReLU, say).
public struct ActivationColumns: Hashable, Sendable {
  /// The layers that the columns speak of; empty if they speak of all, in forward order.
  public var layerIDs: [UInt32] = []
  /// The mean activation.
  public var mean: [Float] = []
  /// The population standard deviation.
  public var std: [Float] = []
  /// The share of activations that are exactly 0, from 0 to 1.
  public var zeroFraction: [Float] = []
  /// The share within 1 % of the activation's range from one of its bounds, from 0 to 1.
  public var saturatedFraction: [Float] = []
  /// The share of units that are zero on the whole batch, from 0 to 1.
  public var deadUnitFraction: [Float] = []

  /// Makes columns of which nothing was measured.
  public init() {}
}
