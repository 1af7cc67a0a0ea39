/// Values by row and range of steps as a picture: a character a cell, denser for a larger magnitude.
///
/// The scale is logarithmic. NaN and infinities, zeros, and cells in which nothing was measured have
/// glyphs of their own, so that the picture can be read without colours.
public struct Heatmap: Sendable {
  /// One row of cells.
  public struct Row: Hashable, Sendable {
    /// What the row is of.
    public var label: String
    /// How the label stands out.
    public var style: Style
    /// A value a range of steps, the first one first; `nil`: nothing was measured.
    public var cells: [Double?]

    /// Makes a row.
    public init(label: String, style: Style = .plain, cells: [Double?]) {
      self.label = label
      self.style = style
      self.cells = cells
    }
  }

  /// What is shown, on the line above the picture.
  public var title: String
  /// What a cell is of, with its unit, for the legend.
  public var quantity: String
  /// The rows, from the top; all are equally long.
  public var rows: [Row]
  /// The steps that a row covers.
  public var steps: ClosedRange<UInt64>
  /// The magnitudes from the lightest to the densest shade; set the same for pictures that are compared.
  public var range: ClosedRange<Double>?
  /// The most lines; more rows than lines share them, neighbours with neighbours.
  public var maximumLines: Int

  /// The most columns of a label.
  public static let labelColumns = 24

  private static let shades = Array("░▒▓█")
  private static let asciiShades = Array(".:+#")

  /// Makes a picture whose shades span its own values.
  public init(
    title: String,
    quantity: String,
    rows: [Row],
    steps: ClosedRange<UInt64>,
    maximumLines: Int = 64
  ) {
    self.title = title
    self.quantity = quantity
    self.rows = rows
    self.steps = steps
    self.maximumLines = max(maximumLines, 1)
    range = Self.range(of: rows)
  }

  /// The finite magnitudes above 0 of some rows; `nil` if there are none.
  public static func range(of rows: [Row]) -> ClosedRange<Double>? {
    ValueScale(
      rows.lazy.flatMap(\.cells).compactMap { $0?.magnitude }.filter { $0 > 0 },
      choice: .logarithmic
    ).map { $0.lower...$0.upper }
  }

  /// The columns that a terminal has for cells beside the labels of some rows.
  public static func cellColumns(labels: [String], on terminal: Terminal) -> Int {
    max(terminal.layoutColumns - labelWidth(labels) - 1, 8)
  }

  /// The picture as lines, each with its line feed: title, a line a row, and an axis of steps.
  public func rendered(on terminal: Terminal) -> String {
    var text = terminal.paint(title, .emphasis) + "\n"
    let rows = condensedRows
    guard let count = rows.map(\.cells.count).max(), count > 0 else { return text + "no values\n" }
    let labels = Self.labelWidth(rows.map(\.label))
    let room = Self.cellColumns(labels: rows.map(\.label), on: terminal)
    // Few steps fill the width all the same.
    let stretch = max(room / count, 1)
    let width = min(count, room) * stretch
    let scale = range.flatMap { ValueScale([$0.lowerBound, $0.upperBound], choice: .logarithmic) }
    for row in rows {
      let label = row.label.escapingControls.truncated(
        to: labels,
        at: .middle,
        mark: terminal.glyph("…", "...")
      )
      text += terminal.paint(label, row.style)
      text += String(repeating: " ", count: labels - label.displayWidth + 1)
      text += line(Sparkline.condensed(row.cells, to: room), stretch, scale, on: terminal) + "\n"
    }
    return text + axis(indentation: labels + 1, width: width, on: terminal)
  }

  /// The meaning of the shades as a paragraph of lines, each with its line feed.
  public func legend(on terminal: Terminal) -> String {
    var parts: [(glyph: String, style: Style, text: String)] = []
    if let range,
      let scale = ValueScale([range.lowerBound, range.upperBound], choice: .logarithmic)
    {
      let upper = NumberText.short(range.upperBound, digits: 2)
      if range.lowerBound < range.upperBound {
        let levels = Self.levels(on: terminal)
        for level in 0..<levels {
          let (glyph, style) = Self.shade((Double(level) + 0.5) / Double(levels), on: terminal)
          let lower = NumberText.short(scale.value(at: Double(level) / Double(levels)), digits: 2)
          let end = level == levels - 1 ? " to \(upper)" : ""
          parts.append((glyph, style, "from \(lower)\(end)"))
        }
      } else {
        let (glyph, style) = Self.shade(0.5, on: terminal)
        parts.append((glyph, style, upper))
      }
    }
    let cells = rows.lazy.flatMap(\.cells)
    if cells.contains(where: { $0 == 0 }) { parts.append(Self.zero(on: terminal)) }
    if cells.contains(where: { $0?.isFinite == false }) { parts.append(Self.odd(on: terminal)) }
    if cells.contains(where: { $0 == nil }) { parts.append(("blank", .faint, "not measured")) }
    var text = terminal.paint(quantity + ", logarithmic", .faint)
    var used = quantity.displayWidth + ", logarithmic".count
    for part in parts {
      let columns = part.glyph.displayWidth + 1 + part.text.displayWidth
      if used + 3 + columns > terminal.layoutColumns {
        text += "\n  "
        used = 2
      } else {
        text += "   "
        used += 3
      }
      text += terminal.paint(part.glyph, part.style) + " " + terminal.paint(part.text, .faint)
      used += columns
    }
    return text + "\n"
  }

  /// The rows, neighbours put together until there are no more than lines.
  private var condensedRows: [Row] {
    guard rows.count > maximumLines else { return rows }
    return (0..<maximumLines).map { line in
      let shared = rows[line * rows.count / maximumLines..<(line + 1) * rows.count / maximumLines]
      let columns = shared.map(\.cells.count).max() ?? 0
      let cells = (0..<columns).map { column in
        Sparkline.condensed(
          shared.map { column < $0.cells.count ? $0.cells[column] : nil },
          to: 1
        )[0]
      }
      let first = shared[shared.startIndex]
      let more = shared.count > 1 ? " +\(shared.count - 1)" : ""
      let style = shared.first { $0.style != .plain }?.style ?? .plain
      return Row(label: first.label + more, style: style, cells: cells)
    }
  }

  private func line(
    _ cells: [Double?],
    _ stretch: Int,
    _ scale: ValueScale?,
    on terminal: Terminal
  ) -> String {
    var text = ""
    var run = (glyphs: "", style: Style.plain)
    let end = cells.lastIndex { $0 != nil } ?? -1
    for cell in cells[...end] {
      let (glyph, style) = Self.look(of: cell, scale, on: terminal)
      if style != run.style {
        text += terminal.paint(run.glyphs, run.style)
        run = ("", style)
      }
      run.glyphs += String(repeating: glyph, count: stretch)
    }
    return text + terminal.paint(run.glyphs, run.style)
  }

  private static func look(
    of cell: Double?,
    _ scale: ValueScale?,
    on terminal: Terminal
  ) -> (glyph: String, style: Style) {
    guard let cell else { return (" ", .plain) }
    guard cell.isFinite else { return (odd(on: terminal).glyph, odd(on: terminal).style) }
    guard cell != 0 else { return (zero(on: terminal).glyph, zero(on: terminal).style) }
    return shade(scale?.position(of: cell.magnitude) ?? 0.5, on: terminal)
  }

  private static func odd(on terminal: Terminal) -> (glyph: String, style: Style, text: String) {
    (terminal.glyph("×", "!"), .critical, "NaN or Inf")
  }

  private static func zero(on terminal: Terminal) -> (glyph: String, style: Style, text: String) {
    (terminal.glyph("○", "o"), .faint, "0")
  }

  /// Four shades; where there are colours, twice: first cool, then warm.
  private static func levels(on terminal: Terminal) -> Int {
    terminal.usesColor ? 2 * shades.count : shades.count
  }

  private static func shade(
    _ position: Double,
    on terminal: Terminal
  ) -> (glyph: String, style: Style) {
    let shades = terminal.usesUnicode ? shades : asciiShades
    let levels = levels(on: terminal)
    let level = min(Int(position * Double(levels)), levels - 1)
    guard terminal.usesColor else { return (String(shades[level]), .plain) }
    return (
      String(shades[level % shades.count]), level < shades.count ? .info : .warning
    )
  }

  private func axis(indentation: Int, width: Int, on terminal: Terminal) -> String {
    let (first, last) = ("\(steps.lowerBound)", "\(steps.upperBound)  step")
    let gap = max(width - first.count - last.count, 2)
    return String(repeating: " ", count: indentation)
      + terminal.paint(first + String(repeating: " ", count: gap) + last, .faint) + "\n"
  }

  private static func labelWidth(_ labels: [String]) -> Int {
    min(labels.map(\.escapingControls.displayWidth).max() ?? 0, labelColumns)
  }
}
