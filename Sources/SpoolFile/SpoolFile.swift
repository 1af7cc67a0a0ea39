import Foundation
public import Telemetry
import TelemetryWire

/// What a client wrote into a file while it had no collector, read a report at a time.
///
/// ```swift
/// let spool = try SpoolFile(path: "run.gwspool")
/// while let report = try spool.nextReport() { send(try report.get()) }
/// if let ending = spool.ending { finish(spool.registration.run, ending) }
/// ```
/// `Protos/gradwatch/v1/spool.proto` says what the file looks like. One record is held in memory at a
/// time. A file whose process died, or that is being written, may end within a record: what comes
/// before it is read, and ``damage`` says where reading stopped.
public final class SpoolFile {
  /// The run, its model and the process that wrote the file.
  public let registration: RunRegistration
  /// How the run ended; `nil` until the last report was read, or if the last record does not say.
  public private(set) var ending: SpoolEnding?
  /// Where reading stopped before the file's end, and why; `nil` if it did not.
  public private(set) var damage: SpoolDamage?

  private let records: RecordReader
  private var lastSequence: UInt64 = 0

  /// Opens a spool and reads its registration.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``SpoolError`` if it can't be read, is no spool, or has no whole registration.
  public init(path: String) throws(SpoolError) {
    let records = try RecordReader(path: path)
    self.records = records
    let record = try records.next()
    guard case .registration(let wire)? = record else {
      throw records.damaged("record: expected a registration, found \(Self.name(of: record))")
    }
    guard !wire.runID.isEmpty else {
      throw records.damaged("registration: run_id: expected a name, found an empty string")
    }
    do throws(TelemetryError) {
      registration = try RunRegistration(wire: wire, generatedID: "")
    } catch {
      throw records.damaged("registration: \(error)")
    }
  }

  /// The next report, or why no collector takes it; `nil` after the last, or where ``damage`` begins.
  ///
  /// The first has the sequence number 1, each other one the next. Whether it fits the model is left
  /// to whoever takes it.
  ///
  /// - Throws: ``SpoolError/unreadable(file:reason:)``.
  public func nextReport() throws(SpoolError) -> Result<StepReport, UnacceptableReport>? {
    guard damage == nil else { return nil }
    do throws(SpoolError) {
      while let record = try records.next() {
        // Whatever follows on an ending, the run went on.
        ending = nil
        switch record {
        case .report(let wire): return try take(wire)
        case .ending(let wire): ending = try take(wire)
        case .registration:
          throw records.damaged(
            "record: expected a report or an ending, found \(Self.name(of: record))"
          )
        }
      }
    } catch {
      guard case .damaged(_, let found) = error else { throw error }
      damage = found
      ending = nil
    }
    return nil
  }

  private func take(
    _ wire: consuming Gradwatch_V1_StepReport
  ) throws(SpoolError) -> Result<StepReport, UnacceptableReport> {
    let (sequence, step) = (wire.sequence, wire.step)
    guard sequence == lastSequence + 1 else {
      throw records.damaged(
        "report: sequence: expected \(lastSequence + 1), found \(sequence)"
      )
    }
    lastSequence = sequence
    do throws(TelemetryError) {
      return .success(try StepReport(wire: wire))
    } catch {
      return .failure(UnacceptableReport(sequence: sequence, step: step, problem: error))
    }
  }

  private func take(_ wire: Gradwatch_V1_FinishRunRequest) throws(SpoolError) -> SpoolEnding {
    guard wire.runID.isEmpty || wire.runID == registration.run.rawValue else {
      throw records.damaged("ending: run_id: expected that of the registration, found another one")
    }
    guard let status = RunStatus(wire: wire.status), status != .running else {
      throw records.damaged(
        "ending: status: expected finished, failed or aborted, found \(wire.status.rawValue)"
      )
    }
    return SpoolEnding(status: status, reason: wire.reason)
  }

  private static func name(of record: Gradwatch_V1_SpoolRecord.OneOf_Record?) -> String {
    switch record {
    case .registration: "a registration"
    case .report: "a report"
    case .ending: "an ending"
    case nil: "the end of the file"
    }
  }
}
