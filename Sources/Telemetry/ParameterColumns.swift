/// The parameters of one step, a column a statistic and a value a tensor.
///
/// Every column is either empty (not measured) or as long as the tensors that it speaks of, as in
/// ``GradientColumns``; frozen tensors may be left out, or moved by something else than the optimizer.
public struct ParameterColumns: Hashable, Sendable {
  /// The tensors that the columns speak of; empty if they speak of all.
  public var tensorIDs: [UInt32] = []
  /// The L2 norm of the parameter before the step.
  public var norm: [Float] = []
  /// The L2 norm of the step's change to it.
  public var updateNorm: [Float] = []

  /// Makes columns of which nothing was measured.
  public init() {}
}
