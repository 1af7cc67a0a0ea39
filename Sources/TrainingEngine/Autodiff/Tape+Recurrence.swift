// What happens at one time step beside the matrix products; the loop over time is the layer's.
extension Tape {
  /// Computes the cell of a long short-term memory.
  ///
  /// ```
  /// c' = σ(f) · c + σ(i) · tanh(g)        h' = σ(o) · tanh(c')
  /// ```
  /// Shapes: `gates` `[batch, 4 n]`, i, f, g and o side by side, PyTorch's order; `cell`, c, and
  /// both results `[batch, n]`. Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with
  /// the forget gate of Gers, Schmidhuber and Cummins, "Learning to Forget", 2000.
  public func longShortTermMemory(
    gates: Variable,
    cell: Variable
  ) -> (hidden: Variable, cell: Variable) {
    let (sums, before) = (value(of: gates), value(of: cell))
    let (batch, n) = (before.rowCount, before.rowSize)
    precondition(
      sums.shape == [batch, 4 * n],
      "cell of \(before.shape): expected gates of 4 times that, found \(sums.shape)"
    )
    let i = sums.columns(of: 0, width: n).map(Scalar.sigmoid)
    let f = sums.columns(of: 1, width: n).map(Scalar.sigmoid)
    let g = sums.columns(of: 2, width: n).map(Scalar.hyperbolicTangent)
    let o = sums.columns(of: 3, width: n).map(Scalar.sigmoid)
    let after = before.combined(with: f, *).combined(with: i.combined(with: g, *), +)
    let newCell = record(after, of: gates, cell) { tape, gradient in
      let slopes = [
        gradient.combined(with: g, *).throughSigmoid(i),
        gradient.combined(with: before, *).throughSigmoid(f),
        gradient.combined(with: i, *).throughTanh(g),
      ]
      tape.accumulate(intoGradientOf: gates) { whole in
        for (index, slope) in slopes.enumerated() { whole.add(slope, toColumnsOf: index) }
      }
      tape.add(gradient.combined(with: f, *), toGradientOf: cell)
    }

    let bounded = after.map(Scalar.hyperbolicTangent)
    let hidden = record(bounded.combined(with: o, *), of: gates, newCell) { tape, gradient in
      tape.add(gradient.combined(with: o, *).throughTanh(bounded), toGradientOf: newCell)
      tape.accumulate(intoGradientOf: gates) {
        $0.add(gradient.combined(with: bounded, *).throughSigmoid(o), toColumnsOf: 3)
      }
    }
    return (hidden, newCell)
  }

  /// Computes the cell of a gated recurrent unit.
  ///
  /// ```
  /// r = σ(xr + hr)    z = σ(xz + hz)    n = tanh(xn + r · hn)    h' = (1 - z) · n + z · h
  /// ```
  /// Shapes: `input` `[batch, 3 n]`, xr, xz and xn side by side; `recurrent` likewise hr, hz and
  /// hn; `state` and the result `[batch, n]`. Cho et al., "Learning Phrase Representations using
  /// RNN Encoder-Decoder", 2014, in PyTorch's form.
  public func gatedUnit(input: Variable, recurrent: Variable, state: Variable) -> Variable {
    let (x, u, before) = (value(of: input), value(of: recurrent), value(of: state))
    let (batch, n) = (before.rowCount, before.rowSize)
    precondition(
      x.shape == [batch, 3 * n] && u.shape == x.shape,
      "state of \(before.shape): expected sums of 3 times that, found \(x.shape) and \(u.shape)"
    )
    let reset = x.columns(of: 0, width: n).combined(with: u.columns(of: 0, width: n), +)
      .map(Scalar.sigmoid)
    let keep = x.columns(of: 1, width: n).combined(with: u.columns(of: 1, width: n), +)
      .map(Scalar.sigmoid)
    let past = u.columns(of: 2, width: n)
    let new = x.columns(of: 2, width: n).combined(with: past.combined(with: reset, *), +)
      .map(Scalar.hyperbolicTangent)
    let after = new.combined(with: keep) { $0 * (1 - $1) }
      .combined(with: before.combined(with: keep, *), +)
    return record(after, of: input, recurrent, state) { tape, gradient in
      let dn = gradient.combined(with: keep) { $0 * (1 - $1) }.throughTanh(new)
      let dr = dn.combined(with: past, *).throughSigmoid(reset)
      let dz = gradient.combined(with: before.combined(with: new, -), *).throughSigmoid(keep)
      for (sums, last) in [(input, dn), (recurrent, dn.combined(with: reset, *))] {
        tape.accumulate(intoGradientOf: sums) { whole in
          for (index, slope) in [dr, dz, last].enumerated() {
            whole.add(slope, toColumnsOf: index)
          }
        }
      }
      tape.add(gradient.combined(with: keep, *), toGradientOf: state)
    }
  }
}

extension NDArray {
  /// Copies one of the gates that lie side by side, each `width` columns wide.
  fileprivate func columns(of gate: Int, width: Int) -> NDArray {
    block(rows: 0..<rowCount, columns: gate * width..<(gate + 1) * width, width: rowSize)
  }

  /// Adds to one of the gates that lie side by side, each as wide as what is added.
  fileprivate mutating func add(_ slope: NDArray, toColumnsOf gate: Int) {
    add(slope, row: 0, column: gate * slope.rowSize, width: rowSize)
  }
}
