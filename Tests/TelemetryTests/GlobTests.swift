import Telemetry
import TelemetryTesting
import Testing

@Suite("Globs")
struct GlobTests {
  @Test(
    "a star is any text, a question mark one character, everything else itself",
    arguments: [
      ("", "", true), ("", "anything", true), ("*", "", true), ("*", "anything", true),
      ("**", "a", true), ("?", "", false), ("?", "a", true), ("?", "ab", false),
      ("??", "ab", true), ("a", "a", true), ("a", "A", false), ("a", "ab", false),
      ("ab", "a", false), ("a*", "a", true), ("a*", "abc", true), ("a*", "ba", false),
      ("*c", "abc", true), ("*c", "cab", false), ("a*c", "ac", true), ("a*c", "abcbc", true),
      ("a*c", "abcb", false), ("*b*", "abc", true), ("*b*", "ac", false),
      ("a?c", "abc", true), ("a?c", "ac", false), ("*?", "", false), ("*?", "a", true),
      ("?*?", "a", false), ("?*?", "ab", true), ("*ab", "aab", true), ("*aab", "aaab", true),
      ("a*b*c", "a1b2c3c", true), ("a*b*c", "a1c2b3", false),
      ("encoder.*.weight", "encoder.0.attention.weight", true),
      ("encoder.?.weight", "encoder.10.weight", false), ("encoder.0", "encoderx0", false),
      ("[ab]", "a", false), ("[ab]", "[ab]", true), ("a\\*", "a\\b", true),
      ("?", "層", true), ("?", "👩‍🔬", true), ("*é*", "résnet", true), (" ", " ", true),
      ("a*", "a*b", true), ("?", "*", true),
    ]
  )
  func cases(pattern: String, name: String, matches: Bool) {
    #expect(Glob(pattern).matches(name) == matches)
  }

  // Going back to every star would take 10^20 comparisons here; to the last one only, 900,000.
  @Test("a pattern of many stars ends on a long name that almost matches")
  func pathological() {
    let name = String(repeating: "a", count: 100_000)
    #expect(!Glob("*a*a*a*b").matches(name))
    #expect(Glob("*a*a*a*b").matches(name + "b"))
    #expect(!Glob("*a?a*a*a*c").matches(name + "b"))
  }

  /// Whether `pattern` matches `name`, by the definition.
  private func matches(_ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>) -> Bool {
    guard let first = pattern.first else { return name.isEmpty }
    if first == "*" {
      return matches(pattern.dropFirst(), name)
        || (!name.isEmpty && matches(pattern, name.dropFirst()))
    }
    guard let letter = name.first, first == "?" || first == letter else { return false }
    return matches(pattern.dropFirst(), name.dropFirst())
  }

  @Test("random patterns match what the definition says", arguments: [UInt64(1), 2])
  func random(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var matching = 0
    for _ in 0..<5000 {
      let pattern = String(
        (0..<Int.random(in: 1...7, using: &generator)).map { _ in
          "ab*?".randomElement(using: &generator) ?? "a"
        }
      )
      let name = String(
        (0..<Int.random(in: 0...8, using: &generator)).map { _ in
          "ab".randomElement(using: &generator) ?? "a"
        }
      )
      let expected = matches(Array(pattern)[...], Array(name)[...])
      matching += expected ? 1 : 0
      try #require(
        Glob(pattern).matches(name) == expected,
        "seed \(seed): pattern \(pattern), name \(name)"
      )
    }
    try #require((1000...4000).contains(matching), "seed \(seed): the cases must be of both kinds")
  }
}
