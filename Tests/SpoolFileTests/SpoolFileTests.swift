import Foundation
import SpoolFile
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("A spool")
struct SpoolFileTests {
  @Test("the registration, the reports and the ending are read back")
  func whole() async throws {
    let content = try await Content(of: try SampleSpool.whole().bytes)
    let run = try RunBuilder(run: SampleSpool.run, project: "cluster", rank: (0, of: 2))
    #expect(content.registration == run.registration)
    #expect(content.reports == (1...3).map { run.report($0, step: 10 * $0, histograms: true) })
    #expect(content.ending == SpoolEnding(status: .failed, reason: "out of memory"))
    #expect(content.damage == nil)
  }

  @Test("what Python's struct and zlib wrote is read")
  func golden() async throws {
    // A registration of the run "r" by the producer "p" with an empty model, report 1 of step 7 at
    // second 1, and FINISHED: struct.pack("<II", len(b), zlib.crc32(b)) + b of each.
    let bytes = try #require(
      Data(
        base64Encoded: "R1dTUE9PTDEKAAAAcyuAgwoICgFyOgMKAXAPAAAAeCX4oxINCAEQBxkAAAAA"
          + "AADwPwcAAADKPboPGgUKAXIQAg=="
      )
    )
    let content = try await Content(of: Array(bytes))
    #expect(content.registration.run.rawValue == "r")
    #expect(content.registration.project == "default")
    #expect(content.registration.producer.id.rawValue == "p")
    #expect(content.reports.map(\.step) == [7])
    #expect(content.ending == SpoolEnding(status: .finished, reason: ""))
  }

  @Test("a run that was resumed after its end has none until it ends again")
  func resumed() async throws {
    var spool = try SampleSpool.whole()
    try spool.append(SampleSpool.report(4))
    var content = try await Content(of: spool.bytes)
    #expect(content.reports.map(\.sequence) == [1, 2, 3, 4])
    #expect(content.ending == nil)
    try spool.append(SampleSpool.ending(.aborted))
    content = try await Content(of: spool.bytes)
    #expect(content.ending?.status == .aborted)
    // A record that was begun says that the run goes on.
    content = try await Content(of: spool.bytes + [1])
    #expect(content.ending == nil)
    #expect(content.damage?.isCutOff == true)
  }

  @Test("a file that ends anywhere gives what is whole before, and says where it ends")
  func torn() async throws {
    let spool = try SampleSpool.whole()
    let registrationEnd = spool.offsets[1]
    for length in 0..<spool.bytes.count {
      let cut = Array(spool.bytes.prefix(length))
      guard length >= registrationEnd else {
        let damage = try #require(try await damage(of: cut), "\(length)")
        #expect(damage.offset == (length < 8 ? 0 : 8))
        #expect(!damage.problem.isEmpty)
        continue
      }
      let content = try await Content(of: cut)
      let whole = spool.offsets.filter { $0 <= length }.count - 2
      #expect(content.reports.map(\.sequence) == (0..<whole).map { UInt64($0) + 1 }, "\(length)")
      #expect(content.ending == nil)
      if spool.offsets.contains(length) {
        #expect(content.damage == nil)
      } else {
        #expect(content.damage?.isCutOff == true)
        #expect(content.damage?.offset == UInt64(spool.offsets[whole + 1]))
      }
    }
  }

  @Test("a flipped byte never gives a wrong report, and is always told")
  func flipped() async throws {
    let spool = try SampleSpool.whole()
    let expected = try await Content(of: spool.bytes)
    for place in spool.bytes.indices {
      for mask: UInt8 in [0x01, 0x80, 0xff] {
        var bytes = spool.bytes
        bytes[place] ^= mask
        guard place >= spool.offsets[1] else {
          let damage = try await damage(of: bytes)
          #expect(damage?.offset == (place < 8 ? 0 : 8), "\(place)")
          continue
        }
        let content = try await Content(of: bytes)
        let before = spool.offsets.filter { $0 <= place }.count - 2
        #expect(content.registration == expected.registration)
        #expect(content.reports == Array(expected.reports.prefix(before)), "\(place)")
        #expect(content.ending == nil)
        #expect(content.damage?.offset == UInt64(spool.offsets[before + 1]), "\(place)")
      }
    }
  }

  @Test("damage in the midst says where it is, what was expected, and what was found")
  func damaged() async throws {
    let whole = try SampleSpool.whole()
    let second = whole.offsets[2]
    var bytes = whole.bytes
    bytes.replaceSubrange(second + 4..<second + 8, with: [0, 0, 0, 0])
    var damage = try #require(try await Content(of: bytes).damage)
    #expect(!damage.isCutOff)
    #expect(damage.description.hasPrefix("byte \(second): checksum: expected 00000000, found "))
    bytes = whole.bytes
    bytes.replaceSubrange(second..<second + 4, with: [1, 0, 0, 0x10])
    damage = try #require(try await Content(of: bytes).damage)
    #expect(!damage.isCutOff)
    #expect(damage.problem == "length: expected at most 268435456, found 268435457")
    bytes.replaceSubrange(second..<second + 4, with: [0, 0, 0, 0x10])
    damage = try #require(try await Content(of: bytes).damage)
    #expect(!damage.isCutOff)
    let length = whole.offsets[3] - second - 8
    #expect(damage.problem == "length: expected \(length), as the record says, found 268435456")
  }

  @Test(
    "a record that should not be there ends the reading",
    arguments: [
      (RecordMaker { try SampleSpool.report(3) }, "report: sequence: expected 2, found 3"),
      (RecordMaker { try SampleSpool.report(1) }, "report: sequence: expected 2, found 1"),
      (
        RecordMaker { try SampleSpool.registration() },
        "record: expected a report or an ending, found a registration"
      ),
      (
        RecordMaker { SampleSpool.ending(.running) },
        "ending: status: expected finished, failed or aborted, found 1"
      ),
      (
        RecordMaker { SampleSpool.ending(.unspecified) },
        "ending: status: expected finished, failed or aborted, found 0"
      ),
      (
        RecordMaker { SampleSpool.ending(of: "other") },
        "ending: run_id: expected that of the registration, found another one"
      ),
      (
        RecordMaker { Gradwatch_V1_SpoolRecord() },
        "record: expected a registration, a report or an ending, found none of them"
      ),
    ]
  )
  func outOfPlace(record: RecordMaker, problem: String) async throws {
    var spool = SampleSpool()
    try spool.append(SampleSpool.registration())
    try spool.append(SampleSpool.report(1))
    try spool.append(record.make())
    try spool.append(SampleSpool.report(2))
    try spool.append(SampleSpool.ending())
    let content = try await Content(of: spool.bytes)
    #expect(content.reports.map(\.sequence) == [1])
    #expect(content.ending == nil)
    #expect(
      content.damage
        == SpoolDamage(isCutOff: false, offset: UInt64(spool.offsets[2]), problem: problem)
    )
  }

  @Test("a report that no collector takes is told, and those behind it are read")
  func unacceptable() async throws {
    var spool = SampleSpool()
    try spool.append(SampleSpool.registration())
    try spool.append(SampleSpool.report(1))
    var record = try SampleSpool.report(2)
    record.report.learningRate = .nan
    try spool.append(record)
    try spool.append(SampleSpool.report(3))
    try spool.append(SampleSpool.ending())
    let content = try await Content(of: spool.bytes)
    #expect(content.reports.map(\.sequence) == [1, 3])
    let told = try #require(content.unacceptable.first)
    #expect(content.unacceptable.count == 1)
    #expect((told.sequence, told.step) == (2, 20))
    #expect("\(told)" == "report 2: learning_rate: expected a finite number, found nan")
    #expect(content.damage == nil)
    #expect(content.ending?.status == .failed)
  }

  @Test("a file that is no spool says what was expected and found")
  func noSpool() async throws {
    let magic = "expected the first bytes of a spool, GWSPOOL1, found "
    #expect(try await damage(of: [])?.problem == magic + "an empty file")
    #expect(try await damage(of: Array("GWSPO".utf8))?.problem == magic + "5 bytes")
    #expect(try await damage(of: Array("GWSPOOL2".utf8))?.problem == magic + "others")
    let registration = "record: expected a registration, found "
    var spool = SampleSpool()
    #expect(try await damage(of: spool.bytes)?.problem == registration + "the end of the file")
    try spool.append(SampleSpool.report(1))
    #expect(try await damage(of: spool.bytes)?.problem == registration + "a report")
    var nameless = try SampleSpool.registration()
    nameless.registration.runID = ""
    spool = SampleSpool()
    try spool.append(nameless)
    #expect(
      try await damage(of: spool.bytes)?.problem
        == "registration: run_id: expected a name, found an empty string"
    )
    var other = try SampleSpool.registration()
    other.registration.producer.producerID = ""
    spool = SampleSpool()
    try spool.append(other)
    #expect(
      try await damage(of: spool.bytes)?.problem
        == "registration: producer_id: expected a name, found an empty string"
    )
  }

  @Test("a file that can't be read says why, in the system's words")
  func unreadable() async throws {
    let missing = SpoolError.unreadable(file: "/nowhere/a", reason: "No such file or directory")
    #expect(throws: missing) { try SpoolFile(path: "/nowhere/a") }
    try await withTemporaryFolder { folder in
      let reason = SpoolError.unreadable(file: folder, reason: "Is a directory")
      #expect(throws: reason) { try SpoolFile(path: folder) }
    }
  }
}

/// Makes a record, or fails as a test.
struct RecordMaker: Sendable {
  let make: @Sendable () throws -> Gradwatch_V1_SpoolRecord
}
