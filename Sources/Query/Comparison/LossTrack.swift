import Telemetry

/// One loss of two runs while their steps are read.
struct LossTrack: Sendable {
  let name: String
  private var a: LossCourse?
  private var b: LossCourse?
  /// The last steps at which the runs have it.
  private var (lastA, lastB): (UInt64?, UInt64?)
  /// `nil` until there is a step at which both runs have the loss.
  private var detector: PartingDetector?

  /// Starts before the first step.
  init(name: String) { self.name = name }

  /// Adds run a's value of a step.
  mutating func addA(_ value: Double, at step: UInt64) {
    Self.add(value, at: step, to: &a)
    lastA = step
  }

  /// Adds run b's value of a step.
  mutating func addB(_ value: Double, at step: UInt64) {
    Self.add(value, at: step, to: &b)
    lastB = step
  }

  /// Holds the values of a common step that were added against the band.
  ///
  /// Where only one run has the loss there is nothing to hold: many log theirs more rarely than their gradients.
  ///
  /// - Parameters:
  ///   - step: The step.
  ///   - fresh: A detector that has seen nothing.
  mutating func judge(_ step: UInt64, _ fresh: PartingDetector) {
    guard let a, let b, lastA == step, lastB == step else { return }
    if detector == nil { detector = fresh }
    detector?.add(step: step, a: a.last, b: b.last)
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
