import Telemetry

/// One loss of two runs while their steps are read.
struct LossTrack: Sendable {
  private(set) var a: LossCourse?
  private(set) var b: LossCourse?
  var detector: PartingDetector

  init(_ detector: PartingDetector) { self.detector = detector }

  /// Adds the values of a step; `nil` if a run has no such loss there.
  mutating func add(step: UInt64, a: Double?, b: Double?) {
    Self.add(a, at: step, to: &self.a)
    Self.add(b, at: step, to: &self.b)
  }

  private static func add(_ value: Double?, at step: UInt64, to course: inout LossCourse?) {
    guard let value else { return }
    if course == nil {
      course = LossCourse(step: step, loss: value)
    } else {
      course?.add(step: step, loss: value)
    }
  }
}
