public import Telemetry

/// Decides what becomes of each report of one producer: the first thing that a report meets.
///
/// Reports are numbered 1, 2, 3… by their producer. The sequencer knows the last number and the last step
/// that were taken, so that a report that comes again is stored once, a lost one is asked for, and one
/// that goes back (a job that restarted from a checkpoint) replaces what it recomputes.
///
/// A value without clock, I/O or lock: whoever holds it decides when a decision becomes durable, and on a
/// failure builds a new one from what the store has.
public struct ProducerSequencer: Sendable {
  /// The sequence number of the last report that was accepted or refused; 0 before the first.
  public private(set) var lastSequence: UInt64
  /// The step of the last accepted report; `nil` before the first.
  public private(set) var lastStep: UInt64?

  private let validator: ReportValidator

  /// Starts where the store says that this producer's durable reports end.
  ///
  /// - Parameters:
  ///   - model: The run's registered model.
  ///   - lastSequence: The last durable sequence number; 0 if there is none.
  ///   - lastStep: The step of the last durable report; `nil` if there is none.
  public init(model: Model, lastSequence: UInt64, lastStep: UInt64?) {
    self.validator = ReportValidator(model: model)
    self.lastSequence = lastSequence
    self.lastStep = lastStep
  }

  /// Takes one report, or what was wrong with it on the wire.
  ///
  /// - Parameters:
  ///   - report: The report; or, for one that could not be taken from the wire, the reason.
  ///   - sequence: Its number, which is known in either case.
  /// - Returns: What to do with it. The sequencer has moved on for ``Decision/accept(_:rewinds:)`` and
  ///   ``Decision/refuse(_:)``, and is as before for the others.
  public mutating func receive(
    _ report: Result<StepReport, TelemetryError>,
    sequence: UInt64
  ) -> Decision {
    guard sequence > lastSequence else { return .duplicate }
    guard sequence == lastSequence + 1 else { return .gap(expected: lastSequence + 1) }
    lastSequence = sequence
    do {
      let report = try report.get()
      try validator.check(report)
      let rewinds = lastStep.map { report.step <= $0 } ?? false
      lastStep = report.step
      return .accept(report, rewinds: rewinds)
    } catch {
      return .refuse(error)
    }
  }
}
