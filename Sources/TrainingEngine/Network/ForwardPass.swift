/// What the layers of one pass share.
struct ForwardPass<Scalar: TrainingScalar> {
  /// Where operations are recorded.
  let tape: Tape<Scalar>
  /// The network's parameters, as variables of the tape.
  let parameters: [Variable]
  /// Draws what dropout zeroes.
  var generator: SeededGenerator
  /// What came out of each layer, by its index; `nil` of layers that only rescale or shift.
  var outputs: [Variable?]
  /// The states of the first recurrent layer, in the order of time: of a long short-term memory its
  /// cell.
  var timeSteps: [Variable] = []
}
