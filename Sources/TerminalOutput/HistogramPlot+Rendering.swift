extension HistogramPlot {
  /// The plot as lines, each with its line feed: title, bars, and a line of what is in no bar.
  ///
  /// That last line counts all elements, the zeros and the non-finite ones. Three or more empty
  /// rows in a row are drawn as one.
  public func rendered(on terminal: Terminal) -> String {
    let largest = buckets.reduce(1) { max($0, $1.negative, $1.positive) }
    let countWidth = NumberText.grouped(largest).count
    let labelWidth = buckets.reduce(isSigned ? 3 : 0) { max($0, $1.label.count) }
    let sides = isSigned ? 2 : 1
    let room = terminal.layoutColumns - labelWidth - 2 - sides * (countWidth + 1)
    let barWidth = max(room / sides, 4)
    var text = terminal.paint(title, .emphasis) + "\n"
    if isSigned, !buckets.isEmpty {
      let left = "negative".padded(to: countWidth + 1 + barWidth, alignment: .trailing)
      let middle = "|g|".padded(to: labelWidth, alignment: .trailing)
      text += terminal.paint("\(left) \(middle) positive", .faint) + "\n"
    }
    var empty = 0
    for (index, bucket) in buckets.enumerated() {
      empty = bucket.negative == 0 && bucket.positive == 0 ? empty + 1 : 0
      let gap = emptyRun(at: index)
      if gap >= 3 {
        if empty == 1 {
          let side = isSigned ? countWidth + 2 + barWidth : 0
          let mark = terminal.glyph("⋮", ":").padded(to: labelWidth, alignment: .trailing)
          text += String(repeating: " ", count: side) + terminal.paint(mark, .faint) + "\n"
        }
        continue
      }
      text += line(
        bucket,
        largest: largest,
        countWidth: countWidth,
        labelWidth: labelWidth,
        barWidth: barWidth,
        on: terminal
      )
    }
    return text + footer(on: terminal)
  }

  /// How many neighbouring buckets, this one included, are empty.
  private func emptyRun(at index: Int) -> Int {
    func isEmpty(_ bucket: Bucket) -> Bool { bucket.negative == 0 && bucket.positive == 0 }
    guard isEmpty(buckets[index]) else { return 0 }
    return buckets[..<index].reversed().prefix(while: isEmpty).count
      + buckets[index...].prefix(while: isEmpty).count
  }

  private func line(
    _ bucket: Bucket,
    largest: UInt64,
    countWidth: Int,
    labelWidth: Int,
    barWidth: Int,
    on terminal: Terminal
  ) -> String {
    func count(_ value: UInt64, _ alignment: Table.Alignment) -> String {
      (value == 0 ? "" : NumberText.grouped(value)).padded(to: countWidth, alignment: alignment)
    }
    let label = bucket.label.padded(to: labelWidth, alignment: .trailing)
    let right = bar(bucket.positive, of: largest, width: barWidth, on: terminal)
    var text = ""
    if isSigned {
      let left = bar(bucket.negative, of: largest, width: barWidth, growsLeft: true, on: terminal)
      text += terminal.paint(count(bucket.negative, .trailing), .faint) + " "
      text += terminal.paint(left.padded(to: barWidth, alignment: .trailing), .warning) + " "
    }
    text += terminal.paint(label) + " "
    guard bucket.positive > 0 else { return text.trimmingTrailingSpaces + "\n" }
    text += terminal.paint(right, .info)
    return text + " " + terminal.paint(NumberText.grouped(bucket.positive), .faint) + "\n"
  }

  /// A bar of at most `width` columns; any count above 0 gets a visible one.
  private func bar(
    _ count: UInt64,
    of largest: UInt64,
    width: Int,
    growsLeft: Bool = false,
    on terminal: Terminal
  ) -> String {
    guard count > 0 else { return "" }
    let length = Double(count) / Double(largest) * Double(width)
    guard terminal.usesUnicode else {
      return String(repeating: "#", count: max(1, Int(length.rounded())))
    }
    // Eighths of a block exist only from the left; from the right there are halves.
    let parts = growsLeft ? ["▐"] : ["▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    let units = parts.count + 1
    let filled = max(1, Int((length * Double(units)).rounded()))
    let whole = String(repeating: "█", count: filled / units)
    let rest = filled % units == 0 ? "" : parts[filled % units - 1]
    return growsLeft ? rest + whole : whole + rest
  }

  private func footer(on terminal: Terminal) -> String {
    let counted = buckets.reduce(UInt64(0)) { $0 &+ $1.negative &+ $1.positive }
    let total = counted &+ (zeroCount ?? 0) &+ (nonFiniteCount ?? 0)
    func part(_ name: String, _ count: UInt64) -> String {
      let share = total == 0 ? 0 : Double(count) / Double(total)
      return "\(name) \(NumberText.grouped(count)) (\(NumberText.percent(share)))"
    }
    var text = terminal.paint("elements \(NumberText.grouped(total))")
    if let zeroCount { text += "   " + terminal.paint(part("zero", zeroCount)) }
    if let nonFiniteCount {
      text += "   "
      text += terminal.paint(
        part("NaN or Inf", nonFiniteCount),
        nonFiniteCount > 0 ? .critical : .plain
      )
    }
    return text + "\n"
  }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    var text = self
    while text.hasSuffix(" ") { text.removeLast() }
    return text
  }
}
