/// How the loss that is minimized went, in a few numbers.
public struct LossCourse: Sendable, Hashable {
  /// The first loss; NaN and infinities are data.
  public var first: Double
  /// The lowest finite loss; `nil` if none was finite.
  public var best: Double?
  /// The step of ``best``.
  public var bestStep: UInt64?
  /// The last loss; NaN and infinities are data.
  public var last: Double
  /// The first step whose loss was NaN or infinite; `nil` if there was none.
  public var firstNonFiniteStep: UInt64?

  /// Starts with the first loss.
  public init(step: UInt64, loss: Double) {
    first = loss
    last = loss
    add(step: step, loss: loss)
  }

  /// Adds the loss of a later step.
  public mutating func add(step: UInt64, loss: Double) {
    last = loss
    guard loss.isFinite else {
      if firstNonFiniteStep == nil { firstNonFiniteStep = step }
      return
    }
    if best.map({ loss < $0 }) ?? true { (best, bestStep) = (loss, step) }
  }
}
