import Foundation
import Fuzzing
import TelemetryTesting
import Testing

/// The short form of `scripts/fuzz`: the same inputs every time.
@Suite("Fuzzing")
struct FuzzingTests {
  private static let inputs: [String: UInt64] = [
    "ingest": 1500, "registration": 20_000, "detector_snapshot": 1500, "sealing": 100,
    "rule_file": 1000, "trace": 1000, "spool": 3000,
  ]

  @Test("no input ends the process or breaks a promise", arguments: FuzzTarget.all.map(\.name))
  func short(name: String) throws {
    let target = try #require(FuzzTarget.named(name))
    let seed: UInt64 = 4
    var fuzzer = try Fuzzer(target, seed: seed)
    for _ in 0..<Self.inputs[name, default: 30_000] {
      let input = fuzzer.next()
      let number = fuzzer.tally.inputs
      do {
        try fuzzer.feed(input)
      } catch {
        Issue.record("\(name), seed \(seed), input \(number): \(error)")
        return
      }
    }
    // Else the mutations don't get past the first checks, and nothing is tested.
    #expect(fuzzer.tally.accepted > fuzzer.tally.inputs / 50)
    #expect(fuzzer.tally.accepted < fuzzer.tally.inputs)
  }

  @Test("every input that ever failed is refused or accepted now")
  func regressions() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Regressions")
    for target in FuzzTarget.all {
      let files =
        (try? FileManager.default.contentsOfDirectory(
          at: folder.appendingPathComponent(target.name),
          includingPropertiesForKeys: nil
        )) ?? []
      for file in files {
        let input = try Array(Data(contentsOf: file))
        #expect(throws: Never.self, "\(file.lastPathComponent)") { try target.feed(input) }
      }
    }
  }

  @Test("the same seed makes the same inputs")
  func repeats() throws {
    let target = try #require(FuzzTarget.named("chunk"))
    var first = try Fuzzer(target, seed: 9)
    var second = try Fuzzer(target, seed: 9)
    for _ in 0..<500 {
      let input = first.next()
      #expect(input == second.next())
      try first.feed(input)
      try second.feed(input)
    }
  }
}
