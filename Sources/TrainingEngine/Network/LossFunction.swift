/// What training minimizes; the raw value is Keras's name for it.
public enum LossFunction: String, Sendable, CaseIterable {
  /// The mean squared difference, ``Tape/meanSquaredError(_:_:)``.
  case meanSquaredError = "mean_squared_error"
  /// The cross-entropy of probabilities, ``Tape/binaryCrossEntropy(_:_:)``.
  ///
  /// It takes probabilities, so the last layer has to be a sigmoid.
  case binaryCrossEntropy = "binary_crossentropy"
  /// The cross-entropy of classes, ``Tape/crossEntropy(_:_:)``.
  ///
  /// It takes unnormalized log-probabilities, so the last layer has to be linear, with a unit for
  /// each class.
  case crossEntropy = "sparse_categorical_crossentropy"

  /// Applies the loss on a tape.
  ///
  /// Shapes: predictions `[batch, ..., outputs]`; targets alike or, of ``crossEntropy``, without
  /// the last dimension; result `[]`.
  public func callAsFunction<Scalar>(
    _ prediction: Variable,
    _ target: NDArray<Scalar>,
    on tape: Tape<Scalar>
  ) -> Variable {
    switch self {
    case .meanSquaredError: tape.meanSquaredError(prediction, target)
    case .binaryCrossEntropy: tape.binaryCrossEntropy(prediction, target)
    case .crossEntropy: tape.crossEntropy(prediction, target)
    }
  }
}

extension LossFunction {
  /// Throws ``TrainingError`` if what comes out is not what the targets are for.
  func check(output: [Int], targets: [Int]) throws(TrainingError) {
    let expected = Array(targets.dropFirst())
    let found = self == .crossEntropy ? Array(output.dropLast()) : output
    guard found == expected else {
      throw .shape("\(rawValue)", expected: "an output for targets of \(expected)", found: output)
    }
  }
}
