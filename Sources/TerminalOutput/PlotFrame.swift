import Foundation

/// The frame of a line plot: where steps and values stand, and the axes around.
struct PlotFrame {
  /// The label of the row that marks NaN and infinities.
  static let nonFiniteLabel = "NaN/Inf"
  /// The label of the row that marks zeros below a logarithmic axis.
  static let zeroLabel = "0"
  /// The label of that row if it marks negative values too.
  static let negativeLabel = "<= 0"

  private let steps: ClosedRange<UInt64>
  private let scale: ValueScale?
  private let rows: Int
  private let terminal: Terminal
  private let labels: [Int: String]
  private let margin: Int
  private let columns: Int

  init(steps: ClosedRange<UInt64>, scale: ValueScale?, rows: Int, on terminal: Terminal) {
    self.steps = steps
    self.scale = scale
    self.rows = rows
    self.terminal = terminal
    var labels: [Int: String] = [:]
    for tick in scale?.ticks(count: max(2, rows / 3)) ?? [] {
      guard let position = scale?.position(of: tick) else { continue }
      labels[Self.place(1 - position, of: rows)] = Self.label(
        of: tick,
        isLogarithmic: scale?.isLogarithmic == true
      )
    }
    self.labels = labels
    margin = max(Self.nonFiniteLabel.count, labels.values.map(\.count).max() ?? 0) + 1
    columns = max(terminal.layoutColumns - margin - 1, 8)
  }

  /// The line between values, with the band behind it.
  func drawing(of points: [LinePlot.Point]) -> String {
    var canvas = DotCanvas(columns: columns, rows: rows, isBraille: terminal.usesUnicode)
    var previous: (x: Int, y: Int)?
    for point in points {
      let x = Self.place(fraction(of: point.step), of: canvas.width)
      if let low = y(point.low, in: canvas) ?? bottom(below: point.low, in: canvas),
        let high = y(point.high, in: canvas), low != high
      {
        canvas.connect((x, low), (x, high), .band)
      }
      guard let y = y(point.value, in: canvas) else {
        previous = nil
        continue
      }
      canvas.connect(previous ?? (x, y), (x, y), .line)
      previous = (x, y)
    }
    return (0..<rows).reduce(into: "") { text, row in
      text += axis(labels[row]) + painted(canvas.row(row)) + "\n"
    }
  }

  /// A row with one mark where a step has something that the frame can't show.
  func markRow(_ label: String, steps: [UInt64], glyph: String, style: Style) -> String {
    let places = Set(steps.map { Self.place(fraction(of: $0), of: columns) })
    let last = places.max() ?? 0
    let marks = (0...last).map { places.contains($0) ? glyph : " " }.joined()
    return margined(label, style) + terminal.paint(terminal.glyph("│", "|"), .faint)
      + terminal.paint(marks, style) + "\n"
  }

  /// The axis of steps with its labels.
  func stepAxis() -> String {
    let scale = ValueScale([Double(steps.lowerBound), Double(steps.upperBound)], choice: .linear)
    var rule = Array(repeating: terminal.glyph("─", "-"), count: columns)
    var labels = Array(repeating: " ", count: margin + 1 + columns)
    var free = 0
    for tick in scale?.ticks(count: max(2, columns / 16)) ?? [] where tick == tick.rounded() {
      let place = Self.place(fraction(of: UInt64(tick)), of: columns)
      let label = Array(String(UInt64(tick)))
      let start = min(max(margin + 1 + place - label.count / 2, 0), labels.count - label.count)
      guard start >= free else { continue }
      rule[place] = terminal.glyph("┬", "+")
      for (offset, digit) in label.enumerated() { labels[start + offset] = String(digit) }
      free = start + label.count + 2
    }
    var line = labels.joined()
    while line.hasSuffix(" ") { line.removeLast() }
    if line.count + 6 <= margin + 1 + columns { line += "  step" }
    return String(repeating: " ", count: margin)
      + terminal.paint(terminal.glyph("└", "+") + rule.joined(), .faint) + "\n"
      + terminal.paint(line, .faint) + "\n"
  }

  /// Pieces of text side by side under the frame, on as many lines as they need.
  func indented(_ parts: [(text: String, style: Style)]) -> String {
    let indentation = String(repeating: " ", count: margin + 1)
    var text = indentation
    var used = 0
    for (index, part) in parts.enumerated() {
      if index > 0, used + part.text.count + 3 > columns {
        text += "\n" + indentation
        used = 0
      } else if index > 0 {
        text += "   "
        used += 3
      }
      text += terminal.paint(part.text, part.style)
      used += part.text.count
    }
    return text + "\n"
  }

  /// The text of a tick; on a logarithmic axis powers of ten from 100 on all look alike.
  private static func label(of tick: Double, isLogarithmic: Bool) -> String {
    let exponent = log10(tick).rounded()
    guard isLogarithmic, abs(exponent) > 1, abs(log10(tick) - exponent) < 1e-9 else {
      return NumberText.short(tick)
    }
    return "1e\(Int(exponent))"
  }

  private func axis(_ label: String?) -> String {
    margined(label ?? "", .faint)
      + terminal.paint(
        label == nil ? terminal.glyph("│", "|") : terminal.glyph("┤", "+"),
        .faint
      )
  }

  private func margined(_ label: String, _ style: Style) -> String {
    let padding = String(repeating: " ", count: max(0, margin - 1 - label.count))
    return padding + terminal.paint(label, style) + " "
  }

  private func painted(_ row: [(character: Character, isBand: Bool)]) -> String {
    var row = row[...]
    while row.last?.character == " " { row.removeLast() }
    var text = ""
    while let first = row.first {
      let run = row.prefix { $0.isBand == first.isBand }
      text += terminal.paint(String(run.map(\.character)), first.isBand ? .faint : .plain)
      row = row.dropFirst(run.count)
    }
    return text
  }

  private func y(_ value: Double, in canvas: DotCanvas) -> Int? {
    scale?.position(of: value).map { Self.place(1 - $0, of: canvas.height) }
  }

  /// The lowest row, for a band that begins below what a logarithmic axis can show.
  private func bottom(below value: Double, in canvas: DotCanvas) -> Int? {
    value <= 0 ? canvas.height - 1 : nil
  }

  private func fraction(of step: UInt64) -> Double {
    guard steps.lowerBound < steps.upperBound else { return 0 }
    let bounded = min(max(step, steps.lowerBound), steps.upperBound)
    return Double(bounded - steps.lowerBound) / Double(steps.upperBound - steps.lowerBound)
  }

  private static func place(_ fraction: Double, of count: Int) -> Int {
    min(max(Int((fraction * Double(count - 1)).rounded()), 0), count - 1)
  }
}
