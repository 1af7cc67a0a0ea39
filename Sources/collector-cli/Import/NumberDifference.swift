/// A step of which a file and a collector say different things.
struct NumberDifference: Error, CustomStringConvertible {
  /// The step.
  let step: UInt64
  /// What differs.
  let name: String
  /// What the collector has.
  let expected: Double
  /// What the file has.
  let found: Double

  /// The place, the expected and the found, as one fragment.
  var description: String {
    "expected at step \(step) what the collector has, \(name) \(expected), found \(found)"
  }
}
