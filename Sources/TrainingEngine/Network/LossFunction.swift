/// What training minimizes; the raw value is Keras's name for it.
public enum LossFunction: String, Sendable, CaseIterable {
  /// The mean squared difference, ``Tape/meanSquaredError(_:_:)``.
  case meanSquaredError = "mean_squared_error"
  /// The cross-entropy of probabilities, ``Tape/binaryCrossEntropy(_:_:)``.
  ///
  /// It takes probabilities, so the last layer has to be a sigmoid.
  case binaryCrossEntropy = "binary_crossentropy"

  /// Applies the loss on a tape: predictions and targets `[batch, outputs]`, result `[]`.
  public func callAsFunction<Scalar>(
    _ prediction: Variable,
    _ target: NDArray<Scalar>,
    on tape: Tape<Scalar>
  ) -> Variable {
    switch self {
    case .meanSquaredError: tape.meanSquaredError(prediction, target)
    case .binaryCrossEntropy: tape.binaryCrossEntropy(prediction, target)
    }
  }
}
