import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Random bytes")
struct RandomBytesTests {
  /// What became of some bytes.
  private enum Outcome: Hashable {
    case undecodable, refused, taken
  }

  private func parse(_ bytes: [UInt8]) throws -> Outcome {
    guard let wire = try? Gradwatch_V1_StepReport(serializedBytes: bytes) else {
      return .undecodable
    }
    let report: StepReport
    do throws(TelemetryError) {
      report = try StepReport(wire: wire)
    } catch {
      #expect(!error.field.isEmpty)
      return .refused
    }
    // What was taken can be sent, and is then taken as the same.
    let sent = try Gradwatch_V1_StepReport(report).sent()
    let again = try StepReport(wire: sent)
    #expect(try Gradwatch_V1_StepReport(again).bytes() == sent.bytes())
    return .taken
  }

  @Test("noise is never taken for a report that can't be sent on", arguments: [UInt64(31), 32])
  func noise(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var outcomes: [Outcome: Int] = [:]
    for _ in 0..<5000 {
      let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      outcomes[try parse(bytes), default: 0] += 1
    }
    #expect(outcomes[.undecodable, default: 0] > 1000, "seed \(seed)")
  }

  @Test("a report with damaged bytes is undecodable, refused or taken", arguments: UInt64(33)...36)
  func damage(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let whole = try WireFixture.fullReport().bytes()
    let small = try WireFixture.report().bytes()
    var outcomes: [Outcome: Int] = [:]
    for _ in 0..<2500 {
      var bytes = Bool.random(using: &generator) ? whole : small
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: bytes.indices, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = .random(in: 0...255, using: &generator)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2 where bytes.count > 1: bytes.remove(at: place)
        default: bytes.insert(.random(in: 0...255, using: &generator), at: place)
        }
      }
      outcomes[try parse(bytes), default: 0] += 1
    }
    for outcome in [Outcome.undecodable, .refused, .taken] {
      #expect(outcomes[outcome, default: 0] > 50, "seed \(seed): \(outcomes)")
    }
  }

  @Test("a report that is cut anywhere is undecodable, refused or taken")
  func cut() throws {
    let whole = try WireFixture.fullReport().bytes()
    for length in whole.indices { _ = try parse(Array(whole.prefix(length))) }
    #expect(try parse(whole) == .taken)
    #expect(try parse([]) == .refused)
  }
}
