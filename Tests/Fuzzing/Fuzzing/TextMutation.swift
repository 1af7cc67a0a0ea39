import TelemetryTesting

/// Changes of text in lines: words that mean something to a reader of it, and lines moved about.
struct TextMutation {
  /// What may be put anywhere.
  let words: [String]

  /// Makes some changes; now and then to bytes, which may then be no UTF-8.
  func change(_ text: inout [UInt8], pool: [[UInt8]], _ random: inout SeededGenerator) {
    for _ in 0..<Int.random(in: 1...2, using: &random) {
      switch Int.random(in: 0..<8, using: &random) {
      case 0: Mutation.change(&text, pool: pool, &random)
      case 1, 2: moveLines(&text, &random)
      case 3: replaceWord(&text, with: nil, &random)
      default: replaceWord(&text, with: words.randomElement(using: &random), &random)
      }
    }
  }

  private func moveLines(_ text: inout [UInt8], _ random: inout SeededGenerator) {
    var lines = text.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
    let place = Int.random(in: lines.indices, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: lines.remove(at: place)
    case 1: lines.insert(lines[place], at: Int.random(in: lines.indices, using: &random))
    case 2: lines.swapAt(place, Int.random(in: lines.indices, using: &random))
    case 3: lines[place].insert(contentsOf: [32, 32], at: 0)
    default: if lines[place].starts(with: [32, 32]) { lines[place].removeFirst(2) }
    }
    text = Array(lines.joined(separator: [10]))
  }

  /// Replaces a run of letters and digits, or one of what stands between, by a word; `nil`: by nothing.
  private func replaceWord(
    _ text: inout [UInt8],
    with word: String?,
    _ random: inout SeededGenerator
  ) {
    func isOfWord(_ byte: UInt8) -> Bool {
      (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        || byte == 95 || byte == 46
    }
    guard !text.isEmpty else {
      text = Array((word ?? "").utf8)
      return
    }
    let place = Int.random(in: text.indices, using: &random)
    let kind = isOfWord(text[place])
    var start = place
    var end = place + 1
    while start > 0, isOfWord(text[start - 1]) == kind { start -= 1 }
    while end < text.count, isOfWord(text[end]) == kind { end += 1 }
    text.replaceSubrange(start..<end, with: Array((word ?? "").utf8))
  }
}
