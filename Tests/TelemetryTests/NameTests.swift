import Telemetry
import Testing

@Suite("Names and identifiers")
struct NameTests {
  @Test("an empty name is refused")
  func empty() {
    #expect(
      throws: TelemetryError.outOfRange(
        field: "project",
        expected: "a name",
        found: "an empty string"
      )
    ) { try Name.check("", field: "project") }
  }

  @Test(
    "a name takes 512 bytes of UTF-8, whatever its characters",
    arguments: [
      String(repeating: "a", count: 512), String(repeating: "é", count: 256),
      String(repeating: "層", count: 170) + "ab", String(repeating: "🧠", count: 128),
    ]
  )
  func longest(name: String) throws {
    #expect(name.utf8.count == Name.maximumBytes)
    try Name.check(name, field: "name")
    #expect(
      throws: TelemetryError.outOfRange(
        field: "name",
        expected: "at most 512 bytes of UTF-8",
        found: "513 bytes"
      )
    ) { try Name.check(name + "x", field: "name") }
  }

  @Test(
    "every control character is refused wherever it stands, and named by its number",
    arguments: Array(UInt32(0)...0x1f) + Array(0x7f...0x9f)
  )
  func control(code: UInt32) throws {
    let character = String(try #require(Unicode.Scalar(code)))
    let expected = TelemetryError.outOfRange(
      field: "tags[3]",
      expected: "no control character",
      found: "U+" + String(code, radix: 16, uppercase: true)
    )
    for name in [character, character + "layer", "lay" + character + "er", "layer" + character] {
      #expect(throws: expected) { try Name.check(name, field: "tags[3]") }
    }
  }

  @Test(
    "spaces, signs and all scripts are allowed",
    arguments: [
      " ", "~", "\u{a0}", "encoder.layers.11/attn:0", "слой", "層", "🧠👩‍🔬", "e\u{301}",
    ]
  )
  func allowed(name: String) throws {
    try Name.check(name, field: "name")
    #expect(try RunID(name).rawValue == name)
    #expect(try ProducerID(name).rawValue == name)
  }

  @Test("an identifier's error names the field of the request")
  func identifierFields() {
    let run = #expect(throws: TelemetryError.self) { try RunID("") }
    #expect(run?.field == "run_id")
    let producer = #expect(throws: TelemetryError.self) { try ProducerID("rank\n0") }
    #expect(producer?.field == "producer_id")
  }

  @Test("identifiers from the store are taken as they are, and order by their text")
  func stored() throws {
    #expect(RunID(stored: "a\n").rawValue == "a\n")
    #expect(ProducerID(stored: "").rawValue.isEmpty)
    #expect([try RunID("b"), try RunID("a10"), try RunID("a2")].min()?.description == "a10")
    #expect(try ProducerID("rank-0") < ProducerID("rank-1"))
    #expect(RuleID("dead_layer") < RuleID("exploding_gradient"))
    #expect("\(RuleID("dead_layer")) \(try ProducerID("p"))" == "dead_layer p")
  }

  @Test("two spellings of one accented letter are two identifiers, as they are to a store")
  func identifiersCompareByBytes() throws {
    let composed = "caf\u{e9}"
    let decomposed = "cafe\u{301}"
    try #require(composed == decomposed)
    #expect(try RunID(composed) != RunID(decomposed))
    #expect(try Set([RunID(composed), RunID(decomposed)]).count == 2)
    #expect(try ProducerID(composed) != ProducerID(decomposed))
    #expect(try RunID(composed) == RunID(composed))
  }
}
