import Testing
import TrainingEngine

@Suite("Reverse mode")
struct TapeTests {
  @Test("a matrix product with and without something added, of matrices and of sequences")
  func product() {
    for (a, d) in [([4, 3], nil), ([4, 3], [5]), ([4, 3], [4, 5]), ([2, 3, 3], [5])] {
      let inputs = [a, [3, 5]] + (d.map { [$0] } ?? [])
      expectGradients(of: inputs, result: a.dropLast() + [5]) { tape, x in
        tape.product(x[0], x[1], adding: x.count > 2 ? x[2] : nil)
      }
    }
  }

  @Test("a product is A · B + D, whatever the shape of D")
  func productValues() {
    let tape = Tape<Double>()
    let a = tape.constant(NDArray(shape: [2, 2], elements: [1, 2, 3, 4]))
    let b = tape.constant(NDArray(shape: [2, 1], elements: [5, 6]))
    let row = tape.constant(NDArray(shape: [1], elements: [100]))
    let whole = tape.constant(NDArray(shape: [2, 1], elements: [100, 200]))
    #expect(tape.value(of: tape.product(a, b)).elements == [17, 39])
    #expect(tape.value(of: tape.product(a, b, adding: row)).elements == [117, 139])
    #expect(tape.value(of: tape.product(a, b, adding: whole)).elements == [117, 239])
  }

  @Test("a sum, a multiple and a penalty")
  func arithmetic() {
    expectGradients(of: [[4, 3], [4, 3]], result: [4, 3]) { $0.sum($1[0], $1[1]) }
    expectGradients(of: [[2, 3]], result: [2, 3]) { $0.scaled($1[0], by: -2.5) }
    expectGradients(of: [[2, 3]], result: []) { $0.penalty($1[0], factor: 0.3) }
    let tape = Tape<Double>()
    let x = tape.constant(NDArray(shape: [2], elements: [3, -4]))
    #expect(tape.value(of: tape.penalty(x, factor: 0.5)).elements == [12.5])
    #expect(tape.value(of: tape.scaled(x, by: 2)).elements == [6, -8])
    #expect(tape.value(of: tape.sum(x, x)).elements == [6, -8])
  }

  @Test("a value that is used twice gets the sum of both gradients")
  func usedTwice() {
    expectGradients(of: [[3, 3]], result: [3, 3]) { $0.product($0.tanh($1[0]), $1[0]) }
    expectGradients(of: [[3]], result: [3]) { $0.sum($1[0], $1[0]) }
    // The block of a residual network: a gradient that was passed on is not changed by what
    // follows.
    expectGradients(of: [[2, 3]], result: [2, 3]) { tape, x in
      let once = tape.sum(x[0], tape.tanh(x[0]))
      return tape.sum(once, tape.sigmoid(once))
    }
  }

  @Test("dropout zeroes the share it is told to, keeps the mean, and its gradient follows its mask")
  func dropout() {
    var generator = SeededGenerator(seed: 4)
    let tape = Tape<Double>()
    let x = tape.variable(NDArray(repeating: 2, shape: [100, 100]))
    let y = tape.dropout(x, rate: 0.3, using: &generator)
    tape.backward(from: y)
    let values = tape.value(of: y).elements
    let kept = 1 / 0.7
    #expect(values.allSatisfy { $0 == 0 || $0 == 2 * kept })
    // 10,000 draws, standard deviation 0.0046.
    let share = Double(values.filter { $0 == 0 }.count) / 10_000
    #expect((share - 0.3).magnitude < 0.0184)
    #expect(tape.gradient(of: x).elements == values.map { $0 / 2 })

    // Another draw is another mask, and the same state of the generator the same.
    var again = SeededGenerator(seed: 4)
    #expect(tape.value(of: tape.dropout(x, rate: 0.3, using: &again)).elements == values)
    #expect(tape.value(of: tape.dropout(x, rate: 0.3, using: &again)).elements != values)
    #expect(tape.value(of: tape.dropout(x, rate: 0, using: &again)) == tape.value(of: x))
    expectGradients(of: [[4, 5]], result: [4, 5]) { tape, x in
      var generator = SeededGenerator(seed: 9)
      return tape.dropout(x[0], rate: 0.5, using: &generator)
    }
  }

  @Test("constants, and what the loss does not depend on, have gradient 0 in their shape")
  func withoutGradient() {
    let tape = Tape<Double>()
    let constant = tape.constant(NDArray(repeating: 2, shape: [2, 2]))
    let variable = tape.variable(NDArray(repeating: 3, shape: [2, 2]))
    let unused = tape.variable(NDArray(repeating: 3, shape: [4]))
    tape.backward(from: tape.product(constant, variable))
    #expect(tape.gradient(of: constant) == NDArray(repeating: 0, shape: [2, 2]))
    #expect(tape.gradient(of: unused) == NDArray(repeating: 0, shape: [4]))
    #expect(tape.gradient(of: variable) == NDArray(repeating: 4, shape: [2, 2]))
  }

  @Test("a factor multiplies every gradient, and a result's gradient is there if it was kept")
  func factor() {
    let tape = Tape<Double>()
    let x = tape.variable(NDArray(shape: [2], elements: [1, 2]))
    let y = tape.scaled(x, by: 3)
    tape.keepGradient(of: y)
    tape.backward(from: tape.scaled(y, by: 5), factor: 7)
    #expect(tape.gradient(of: y).elements == [35, 35])
    #expect(tape.gradient(of: x).elements == [105, 105])
  }

  @Test("the gradient of a result that was not kept is a programmer error")
  func notKept() async {
    await #expect(processExitsWith: .failure) {
      let tape = Tape<Double>()
      let y = tape.tanh(tape.variable(NDArray(repeating: 1, shape: [1])))
      tape.backward(from: y)
      _ = tape.gradient(of: y)
    }
  }
}
