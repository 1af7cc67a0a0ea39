/// Reverse-mode differentiation: the operations of one forward pass, in the order they ran.
///
/// Every operation records its value and, right below it, how a gradient of its result becomes
/// gradients of its inputs. Inputs always stand before results on the tape, so one pass in reverse
/// is all that ``backward(from:)`` needs. A tape serves one forward and one backward pass.
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
    let backward: Backward?
  }

  private var nodes: [Node] = []

  /// Makes an empty tape.
  public init() {}

  /// Puts an input on the tape that no gradient is wanted of, such as a batch of data.
  public func constant(_ value: NDArray<Scalar>) -> Variable {
    append(Node(value: value, needsGradient: false, backward: nil))
  }

  /// Puts an input on the tape that a gradient is wanted of, such as a parameter.
  public func variable(_ value: NDArray<Scalar>) -> Variable {
    append(Node(value: value, needsGradient: true, backward: nil))
  }

  /// Returns what was computed at `variable`.
  public func value(of variable: Variable) -> NDArray<Scalar> { nodes[variable.index].value }

  /// Returns the derivative of the sum of what ``backward(from:)`` started from, in the shape of
  /// the value.
  ///
  /// 0 where the start does not depend on `variable`, and for constants.
  public func gradient(of variable: Variable) -> NDArray<Scalar> {
    let node = nodes[variable.index]
    return node.gradient ?? NDArray(repeating: 0, shape: node.value.shape)
  }

  /// Computes the gradients of everything that `output` depends on.
  public func backward(from output: Variable) {
    nodes[output.index].gradient = NDArray(repeating: 1, shape: value(of: output).shape)
    for index in (0...output.index).reversed() {
      if let gradient = nodes[index].gradient { nodes[index].backward?(self, gradient) }
    }
  }

  /// Records the result of an operation on `inputs`.
  func record(
    _ value: NDArray<Scalar>,
    of inputs: Variable...,
    backward: @escaping Backward
  ) -> Variable {
    let needsGradient = inputs.contains { nodes[$0.index].needsGradient }
    return append(
      Node(value: value, needsGradient: needsGradient, backward: needsGradient ? backward : nil)
    )
  }

  /// Adds to the gradient of an operation's input; computes nothing if that is a constant.
  func add(_ gradient: @autoclosure () -> NDArray<Scalar>, toGradientOf input: Variable) {
    guard nodes[input.index].needsGradient else { return }
    if nodes[input.index].gradient == nil {
      nodes[input.index].gradient = gradient()
    } else {
      nodes[input.index].gradient?.add(gradient())
    }
  }

  private func append(_ node: Node) -> Variable {
    nodes.append(node)
    return Variable(index: nodes.count - 1)
  }
}
