/// A state, 0 at first, is carried through time: `[batch, time, inputs]` to `[batch, units]` or
/// `[batch, time, units]`.
///
/// ```
/// h[t] = cell(x[t] W + b, h[t-1] U)
/// ```
/// Shapes: `W` `[inputs, gates units]`, `U` `[units, gates units]`; see ``RecurrentCell`` for the
/// gates. Back-propagation through time follows from the tape: every time step is on it.
struct Recurrent {
  let cell: RecurrentCell
  let unitCount: Int
  let input: Affine
  let recurrentWeight: Int
  let recurrentBias: Int?
  let normalizer: Normalizer?
  let returnsSequence: Bool
  let truncation: Int?

  func callAsFunction<Scalar>(_ x: Variable, in pass: inout ForwardPass<Scalar>) -> Variable {
    let tape = pass.tape
    let (batch, length) = (tape.value(of: x).shape[0], tape.value(of: x).shape[1])
    let sums = input(x, in: pass)
    let weight = pass.parameters[recurrentWeight]
    let bias = recurrentBias.map { pass.parameters[$0] }
    let isFirst = pass.timeSteps.isEmpty
    var hidden = tape.constant(NDArray(repeating: 0, shape: [batch, unitCount]))
    /// Of a long short-term memory; the others carry nothing but what they show.
    var memory = hidden
    var outputs: [Variable] = []
    for time in 0..<length {
      if let truncation, time > 0, time % truncation == 0 {
        (hidden, memory) = (tape.detached(hidden), tape.detached(memory))
      }
      let step = tape.entry(time, ofSequence: sums)
      switch cell {
      case .plain(let activation):
        let sum = tape.product(hidden, weight, adding: step)
        hidden = activation(normalizer?(sum, in: pass) ?? sum, on: tape)
        memory = hidden
      case .longShortTermMemory:
        let gates = tape.product(hidden, weight, adding: step)
        (hidden, memory) = tape.longShortTermMemory(gates: gates, cell: memory)
      case .gatedUnit:
        let recurrent = tape.product(hidden, weight, adding: bias)
        hidden = tape.gatedUnit(input: step, recurrent: recurrent, state: hidden)
        memory = hidden
      }
      if isFirst {
        tape.keepGradient(of: memory)
        pass.timeSteps.append(memory)
      }
      outputs.append(hidden)
    }
    return returnsSequence ? tape.sequence(outputs) : hidden
  }
}
