/// A place on a ``Tape``: a value that was computed there, and after the backward pass its
/// gradient.
public struct Variable: Hashable, Sendable {
  /// The position on the tape.
  let index: Int
}
