/// A range of steps, cut into equal parts.
struct StepParts: Hashable, Sendable {
  private let first: UInt64
  /// The number of steps of a part; 0: the one part has all 2^64, a number that UInt64 has not.
  let width: UInt64

  /// Cuts a range.
  ///
  /// - Parameters:
  ///   - steps: The range, both ends included.
  ///   - maximumCount: The most parts; a number below 1 is taken as 1. `nil`: every step is a part.
  init(_ steps: ClosedRange<UInt64>, maximumCount: Int?) {
    first = steps.lowerBound
    width =
      maximumCount.map {
        (steps.upperBound - steps.lowerBound) / UInt64(Swift.max($0, 1)) &+ 1
      } ?? 1
  }

  /// The number of the part that a step of the range is in, from 0.
  func index(of step: UInt64) -> UInt64 { width == 0 ? 0 : (step - first) / width }

  /// The last step of the part that a step of the range is in.
  func end(of step: UInt64) -> UInt64 {
    guard width > 0 else { return .max }
    let (end, overflow) = (first + index(of: step) * width).addingReportingOverflow(width - 1)
    return overflow ? .max : end
  }
}
