import Telemetry

/// One loss of two runs while their steps are read.
struct LossTrack: Sendable {
  let name: String
  private var a: LossCourse?
  private var b: LossCourse?
  /// `nil` until there is a common step at which run a has the loss.
  private var detector: PartingDetector?

  /// Starts before the first step.
  init(name: String) { self.name = name }

  /// Adds run a's value of a step.
  mutating func addA(_ value: Double, at step: UInt64) { Self.add(value, at: step, to: &a) }

  /// Adds run b's value of a step.
  mutating func addB(_ value: Double, at step: UInt64) { Self.add(value, at: step, to: &b) }

  /// Holds the values of a common step against the band; `fresh` is a detector that has seen nothing.
  mutating func judge(_ step: UInt64, a: Double, b: Double?, _ fresh: PartingDetector) {
    if detector == nil { detector = fresh }
    detector?.add(step: step, a: a, b: b)
  }

  /// The loss, now that there are no more steps.
  consuming func finish() -> RunComparison.Loss {
    detector?.finish()
    return RunComparison.Loss(name: name, a: a, b: b, parting: detector?.parting)
  }

  private static func add(_ value: Double, at step: UInt64, to course: inout LossCourse?) {
    course?.add(step: step, loss: value)
    course = course ?? LossCourse(step: step, loss: value)
  }
}
