import CZlib
import Foundation
import SpoolFile
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire

/// A spool made up for these tests, as bytes.
struct SampleSpool {
  /// The run whose reports they are.
  static let run = "spooled"

  var bytes = Array("GWSPOOL1".utf8)
  /// Where the records begin, and last where the file ends.
  private(set) var offsets: [Int]

  init() { offsets = [bytes.count] }

  /// A registration, three reports and an ending.
  static func whole() throws -> SampleSpool {
    var spool = SampleSpool()
    try spool.append(registration())
    for sequence in UInt64(1)...3 { try spool.append(report(sequence)) }
    try spool.append(ending())
    return spool
  }

  static func registration() throws -> Gradwatch_V1_SpoolRecord {
    let run = try RunBuilder(run: run, project: "cluster", rank: (0, of: 2))
    return .with { $0.registration = Gradwatch_V1_RegisterRunRequest(run.registration) }
  }

  static func report(_ sequence: UInt64) throws -> Gradwatch_V1_SpoolRecord {
    let report = try RunBuilder(run: run).report(sequence, step: 10 * sequence, histograms: true)
    return .with { $0.report = Gradwatch_V1_StepReport(report) }
  }

  static func ending(
    _ status: Gradwatch_V1_RunStatus = .failed,
    of run: String = run
  ) -> Gradwatch_V1_SpoolRecord {
    .with {
      $0.ending = .with { ($0.runID, $0.status, $0.reason) = (run, status, "out of memory") }
    }
  }

  mutating func append(_ record: Gradwatch_V1_SpoolRecord) throws {
    append(payload: try record.serializedBytes())
  }

  mutating func append(payload: [UInt8], length: UInt32? = nil) {
    let checksum = UInt32(truncatingIfNeeded: crc32(0, payload, uInt(payload.count)))
    for number in [length ?? UInt32(payload.count), checksum] {
      bytes += (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
    bytes += payload
    offsets.append(bytes.count)
  }
}

/// All that a spool gives.
struct Content {
  var registration: RunRegistration
  var reports: [StepReport] = []
  var unacceptable: [UnacceptableReport] = []
  var ending: SpoolEnding?
  var damage: SpoolDamage?

  /// Reads bytes by way of a file.
  init(of bytes: [UInt8]) async throws {
    self = try await withTemporaryFolder { folder in
      let path = folder + "/a.gwspool"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      return try Content(ofFile: path)
    }
  }

  private init(ofFile path: String) throws {
    let spool = try SpoolFile(path: path)
    registration = spool.registration
    while let next = try spool.nextReport() {
      switch next {
      case .success(let report): reports.append(report)
      case .failure(let report): unacceptable.append(report)
      }
    }
    ending = spool.ending
    damage = spool.damage
  }
}

/// What is said of a file that can't be read at all; `nil` if it can.
func damage(of bytes: [UInt8]) async throws -> SpoolDamage? {
  do {
    _ = try await Content(of: bytes)
    return nil
  } catch let error as SpoolError {
    guard case .damaged(_, let damage) = error else { throw error }
    return damage
  }
}
