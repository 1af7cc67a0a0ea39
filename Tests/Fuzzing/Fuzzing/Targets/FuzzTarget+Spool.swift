import CZlib
import Foundation
import SpoolFile
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire

extension FuzzTarget {
  /// Spools: what is read of a damaged one is what is before the damage, in order.
  static let spool = FuzzTarget(
    name: "spool",
    seeds: { random in
      try (0..<16).map { count in try RecordList.random(of: count % 6, using: &random).bytes }
    },
    mutate: { bytes, pool, random in
      guard Int.random(in: 0..<3, using: &random) > 0, var list = RecordList(bytes) else {
        Mutation.change(&bytes, pool: pool, &random)
        return
      }
      list.change(&random)
      bytes = list.bytes
    },
    check: { input throws(FuzzFinding) in
      let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("gradwatch-fuzz-\(ProcessInfo.processInfo.processIdentifier)-spool")
      defer { try? FileManager.default.removeItem(at: path) }
      do {
        let whole = try readSpool(input, at: path)
        guard whole.sequences == Array(1..<UInt64(whole.sequences.count) + 1) else {
          throw FuzzFinding("expected reports 1, 2, 3 and so on, found \(whole.sequences)")
        }
        guard let damage = whole.damage else { return true }
        guard !damage.problem.isEmpty, damage.offset < input.count, whole.ending == nil else {
          throw FuzzFinding("expected a place in the file and no ending, found \(damage)")
        }
        let before = try readSpool(Array(input.prefix(Int(damage.offset))), at: path)
        guard before.damage == nil, before.sequences == whole.sequences else {
          throw FuzzFinding("what is before the damage is read in another way alone")
        }
        return false
      } catch let error as SpoolError {
        guard !error.description.isEmpty else { throw FuzzFinding("refused without a reason") }
        return false
      } catch let finding as FuzzFinding {
        throw finding
      } catch {
        throw FuzzFinding("expected a spool's error, found \(error)")
      }
    }
  )

  private static func readSpool(
    _ bytes: [UInt8],
    at path: URL
  ) throws -> (sequences: [UInt64], ending: SpoolEnding?, damage: SpoolDamage?) {
    try Data(bytes).write(to: path)
    let spool = try SpoolFile(path: path.path)
    var sequences: [UInt64] = []
    while let next = try spool.nextReport() {
      switch next {
      case .success(let report): sequences.append(report.sequence)
      case .failure(let report): sequences.append(report.sequence)
      }
    }
    return (sequences, spool.ending, spool.damage)
  }
}

/// The records of a spool, without their lengths and checksums.
private struct RecordList {
  private static let magic = Array("GWSPOOL1".utf8)
  private var records: [[UInt8]] = []

  private init() {}

  /// Takes a spool apart; `nil` if a length is wrong.
  init?(_ bytes: [UInt8]) {
    var rest = bytes.dropFirst(Self.magic.count)
    while !rest.isEmpty {
      guard rest.count >= 8 else { return nil }
      let size = (0..<4).reduce(0) { $0 | Int(rest[rest.startIndex + $1]) << (8 * $1) }
      rest = rest.dropFirst(8)
      guard size <= rest.count else { return nil }
      records.append(Array(rest.prefix(size)))
      rest = rest.dropFirst(size)
    }
  }

  /// The spool again, with proper checksums.
  var bytes: [UInt8] {
    Self.magic
      + records.flatMap { record in
        [record.count, Int(crc32(0, record, uInt(record.count)))].flatMap { number in
          (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        } + record
      }
  }

  /// A registration, some reports, and maybe an ending.
  static func random(
    of count: Int,
    using random: inout SeededGenerator
  ) throws -> RecordList {
    var list = RecordList()
    func append(_ body: (inout Gradwatch_V1_SpoolRecord) -> Void) throws {
      list.records.append(try Gradwatch_V1_SpoolRecord.with(body).serializedBytes())
    }
    let run = try RunBuilder(run: "fuzz")
    try append { $0.registration = Gradwatch_V1_RegisterRunRequest(run.registration) }
    for sequence in 1..<UInt64(count) + 1 {
      let report = run.report(sequence, histograms: Bool.random(using: &random))
      try append { $0.report = Gradwatch_V1_StepReport(report) }
    }
    if Bool.random(using: &random) {
      try append { $0.ending = .with { ($0.runID, $0.status) = ("fuzz", .finished) } }
    }
    return list
  }

  /// Changes a record, or how they follow each other.
  mutating func change(_ random: inout SeededGenerator) {
    guard !records.isEmpty else { return }
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let place = Int.random(in: records.indices, using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0 where records.count > 1: records.remove(at: place)
      case 1 where records.count < 12: records.insert(records[place], at: place)
      case 2: records.swapAt(place, Int.random(in: records.indices, using: &random))
      case 3: Mutation.change(&records[place], pool: [], &random)
      default: ProtobufMutation.change(&records[place], &random)
      }
    }
  }
}
