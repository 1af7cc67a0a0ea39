/// Brings groups of activations to mean 0 and variance 1:
/// ``Tape/normalized(_:gain:offset:over:epsilon:)``.
///
/// Deviation: always with the statistics of the batch at hand, also where frameworks use running
/// ones; this engine trains and never infers.
struct Normalizer {
  let gain: Int
  let offset: Int
  let group: NormalizationGroup

  func callAsFunction<Scalar>(_ x: Variable, in pass: ForwardPass<Scalar>) -> Variable {
    pass.tape.normalized(
      x,
      gain: pass.parameters[gain],
      offset: pass.parameters[offset],
      over: group
    )
  }
}
