import Testing
import TrainingEngine

/// Expects numbers to be within `tolerance`, relative to the larger of 1 and the expected
/// magnitude.
func expectClose(
  _ found: [Double],
  _ expected: [Double],
  tolerance: Double,
  _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  precondition(tolerance >= 0)
  guard found.count == expected.count else {
    Issue.record(
      "\(what): expected \(expected.count) numbers, found \(found.count)",
      sourceLocation: sourceLocation
    )
    return
  }
  for (index, (found, expected)) in zip(found, expected).enumerated() {
    let error = (found - expected).magnitude / max(1, expected.magnitude)
    // Not `error > tolerance`: NaN has to fail.
    if !(error <= tolerance) {
      Issue.record(
        "\(what)[\(index)]: expected \(expected), found \(found)",
        sourceLocation: sourceLocation
      )
    }
  }
}

extension NDArray {
  /// Fills a shape with normal deviates.
  static func random(_ shape: [Int], using generator: inout SeededGenerator) -> NDArray {
    let count = shape.reduce(1, *)
    return NDArray(shape: shape, elements: (0..<count).map { _ in Scalar(generator.nextNormal()) })
  }
}
