import Telemetry
import TelemetryWire

/// A report as it came from the wire: what it says, or what is wrong with it, and its number in either case.
struct ArrivingReport: Sendable {
  /// Its number among its producer's, at least 1.
  let sequence: UInt64
  /// The report, or why it could not be taken from the wire.
  let report: Result<StepReport, TelemetryError>
  /// About how much memory it holds.
  let bytes: Int

  /// Takes a report from the wire, outside of any lock, because decoding columns takes a while.
  ///
  /// - Throws: ``Failure/sequenceZero``: a report without a number can't even be refused by number.
  init(wire: Gradwatch_V1_StepReport) throws {
    guard wire.sequence > 0 else { throw Failure.sequenceZero.status }
    sequence = wire.sequence
    report = Result { () throws(TelemetryError) in try StepReport(wire: wire) }
    bytes = (try? report.get().approximateBytes) ?? 0
  }
}
