/// What one forward and backward pass of a ``Network`` gives.
public struct Derivative<Scalar: TrainingScalar>: Sendable {
  /// The loss, the mean over the batch, with its penalties; NaN and infinities as they come.
  public let loss: Scalar
  /// The loss's gradients, in the order and shapes of ``Network/parameters``.
  public let gradients: [NDArray<Scalar>]
  /// The layers' outputs after their activations, `[batch, ..., units]`, in the order of
  /// ``Network/layers``; `nil` of layers that only rescale or shift.
  public let activations: [NDArray<Scalar>?]
  /// The L2 norms of the loss's gradient by the state at each time step, in the order of time, of
  /// the first recurrent layer (of a long short-term memory: by its cell); empty if there is none.
  public let timeStepNorms: [Double]
}
