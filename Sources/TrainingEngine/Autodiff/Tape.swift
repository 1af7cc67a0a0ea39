/// Reverse-mode differentiation: the operations of one forward pass, in the order they ran.
///
/// Every operation records its value and, right below it, how a gradient of its result becomes
/// gradients of its inputs. Inputs always stand before results on the tape, so one pass in reverse
/// is all that ``backward(from:factor:)`` needs. A tape serves one forward and one backward pass.
///
/// ```swift
/// let tape = Tape<Double>()
/// let w = tape.variable(weights)                       // [3, 2]
/// let y = tape.tanh(tape.product(tape.constant(x), w)) // [batch, 3] · [3, 2] = [batch, 2]
/// let loss = tape.meanSquaredError(y, targets)         // []
/// tape.backward(from: loss)
/// tape.gradient(of: w)                                 // dL/dw, [3, 2]
/// ```
///
/// After Karpathy's micrograd (https://github.com/karpathy/micrograd), with an array for each of
/// its numbers.
public final class Tape<Scalar: TrainingScalar> {
  /// How the gradient of a result is passed on to the inputs; the tape is an argument, not a
  /// capture, so that a tape never holds itself.
  typealias Backward = (Tape, _ gradient: NDArray<Scalar>) -> Void

  private struct Node {
    let value: NDArray<Scalar>
    var gradient: NDArray<Scalar>?
    let needsGradient: Bool
    /// Whether the gradient stays after it was passed on.
    var keepsGradient: Bool
    var backward: Backward?
  }

  private var nodes: [Node] = []

  /// Makes an empty tape.
  public init() {}

  /// Puts an input on the tape that no gradient is wanted of, such as a batch of data.
  public func constant(_ value: NDArray<Scalar>) -> Variable {
    append(Node(value: value, needsGradient: false, keepsGradient: true))
  }

  /// Puts an input on the tape that a gradient is wanted of, such as a parameter.
  public func variable(_ value: NDArray<Scalar>) -> Variable {
    append(Node(value: value, needsGradient: true, keepsGradient: true))
  }

  /// Returns what was computed at `variable`.
  public func value(of variable: Variable) -> NDArray<Scalar> { nodes[variable.index].value }

  /// Keeps the gradient of the result of an operation, for ``gradient(of:)``; inputs keep theirs.
  public func keepGradient(of variable: Variable) { nodes[variable.index].keepsGradient = true }

  /// Returns the derivative of the sum of what ``backward(from:factor:)`` started from, in the
  /// shape of the value.
  ///
  /// 0 where the start does not depend on `variable`, and for constants. It is a programmer error
  /// to ask for the gradient of a result that was not kept.
  public func gradient(of variable: Variable) -> NDArray<Scalar> {
    let node = nodes[variable.index]
    precondition(node.keepsGradient, "gradient of a result: expected that it was kept")
    return node.gradient ?? NDArray(repeating: 0, shape: node.value.shape)
  }

  /// Computes the gradients of everything that `output` depends on.
  ///
  /// - Parameters:
  ///   - output: Where to start, of any shape.
  ///   - factor: The gradient to start with; a loss scale multiplies every gradient.
  public func backward(from output: Variable, factor: Scalar = 1) {
    nodes[output.index].gradient = NDArray(repeating: factor, shape: value(of: output).shape)
    for index in (0...output.index).reversed() {
      guard let backward = nodes[index].backward, let gradient = nodes[index].gradient else {
        continue
      }
      // What is not needed again is freed, and what a gradient is added to need not be copied
      // first.
      nodes[index].backward = nil
      if !nodes[index].keepsGradient { nodes[index].gradient = nil }
      backward(self, gradient)
    }
  }

  /// Records the result of an operation on `inputs`.
  func record(
    _ value: NDArray<Scalar>,
    of inputs: Variable...,
    backward: @escaping Backward
  ) -> Variable {
    record(value, of: inputs, backward: backward)
  }

  /// Records the result of an operation on any number of `inputs`.
  func record(
    _ value: NDArray<Scalar>,
    of inputs: [Variable],
    backward: @escaping Backward
  ) -> Variable {
    let needsGradient = inputs.contains { nodes[$0.index].needsGradient }
    return append(
      Node(
        value: value,
        needsGradient: needsGradient,
        keepsGradient: !needsGradient,
        backward: needsGradient ? backward : nil
      )
    )
  }

  /// Adds to the gradient of an operation's input; computes nothing if that is a constant.
  func add(_ gradient: @autoclosure () -> NDArray<Scalar>, toGradientOf input: Variable) {
    guard nodes[input.index].needsGradient else { return }
    if nodes[input.index].gradient == nil {
      nodes[input.index].gradient = gradient()
    } else {
      accumulate(intoGradientOf: input) { $0.add(gradient()) }
    }
  }

  /// Lets an operation change the gradient of its input in place; calls nothing if that is a
  /// constant.
  ///
  /// For inputs of which an operation saw a part, or whose gradient is summed by a matrix product:
  /// an array of their size for every such operation would cost more than the operation.
  func accumulate(
    intoGradientOf input: Variable,
    _ body: (inout NDArray<Scalar>) -> Void
  ) {
    guard nodes[input.index].needsGradient else { return }
    var gradient =
      nodes[input.index].gradient
      ?? NDArray(repeating: 0, shape: nodes[input.index].value.shape)
    // The only reference to the elements, so that the change is in place.
    nodes[input.index].gradient = nil
    body(&gradient)
    nodes[input.index].gradient = gradient
  }

  private func append(_ node: Node) -> Variable {
    nodes.append(node)
    return Variable(index: nodes.count - 1)
  }
}
