/// A table with aligned columns, cut to the terminal's width.
///
/// Columns stand two spaces apart. If the table is wider than the terminal, the widest of the
/// columns that may shrink lose characters until it fits; if that is not enough, lines are cut at
/// the edge.
public struct Table: Sendable {
  /// On which side of a column its text stands.
  public enum Alignment: Sendable {
    /// On the left: text.
    case leading
    /// On the right: numbers.
    case trailing
  }

  /// A column.
  public struct Column: Sendable {
    /// Its title.
    public var title: String
    /// Where its text stands.
    public var alignment: Alignment
    /// Where a text loses characters if the table is too wide; `nil` if the column must not shrink.
    public var truncation: String.Truncation?

    /// Makes a column.
    public init(
      _ title: String,
      alignment: Alignment = .leading,
      truncation: String.Truncation? = nil
    ) {
      self.title = title
      self.alignment = alignment
      self.truncation = truncation
    }
  }

  /// A cell.
  public struct Cell: Hashable, Sendable, ExpressibleByStringInterpolation {
    /// Its text; control characters are escaped when it is drawn.
    public var text: String
    /// How it stands out.
    public var style: Style

    /// Makes a cell.
    public init(_ text: String, _ style: Style = .plain) {
      self.text = text
      self.style = style
    }

    /// Makes a cell of a measured value; NaN and infinities shout.
    public init(number value: Double) {
      self.init(NumberText.short(value), NumberText.style(of: value))
    }

    /// Makes a plain cell.
    public init(stringLiteral value: String) { self.init(value) }
  }

  /// The columns.
  public var columns: [Column]
  /// The rows; one that is shorter than the columns is filled up with empty cells.
  public private(set) var rows: [[Cell]] = []
  /// Lines below rows, by the row's index.
  private var notes: [Int: Cell] = [:]

  /// The narrowest that a column is made.
  public static let minimumColumnWidth = 8

  /// Makes a table without rows.
  public init(columns: [Column]) {
    self.columns = columns
  }

  /// Adds a row; cells past the last column are dropped.
  ///
  /// - Parameters:
  ///   - row: The cells.
  ///   - note: A line of its own below the row, indented and cut at the terminal's edge; `nil`:
  ///     none.
  public mutating func append(_ row: [Cell], note: Cell? = nil) {
    notes[rows.count] = note
    rows.append(
      Array(
        (row + Array(repeating: "", count: max(0, columns.count - row.count)))
          .prefix(columns.count)
      )
    )
  }

  /// Removes the columns in which no row has any text; all of them if there are no rows.
  public mutating func removeEmptyColumns() {
    let kept = columns.indices.filter { column in rows.contains { !$0[column].text.isEmpty } }
    columns = kept.map { columns[$0] }
    rows = rows.map { row in kept.map { row[$0] } }
  }

  /// The table as lines, each with its line feed; the titles alone if there are no rows.
  public func rendered(on terminal: Terminal) -> String {
    let titles = columns.map { Cell($0.title, .heading) }
    let lines = ([titles] + rows).map { row in
      row.map { Cell($0.text.escapingControls, $0.style) }
    }
    var widths = columns.indices.map { column in
      lines.reduce(0) { max($0, $1[column].text.displayWidth) }
    }
    if let limit = terminal.columns { shrink(&widths, to: limit) }
    var text = line(lines[0], widths: widths, on: terminal) + "\n"
    for (index, row) in lines.dropFirst().enumerated() {
      text += line(row, widths: widths, on: terminal) + "\n"
      if let note = notes[index] { text += noteLine(note, on: terminal) + "\n" }
    }
    return text
  }

  private func noteLine(_ note: Cell, on terminal: Terminal) -> String {
    let indentation = min(Self.gap, terminal.columns ?? Self.gap)
    let room = (terminal.columns ?? .max) - indentation
    let shown = note.text.escapingControls.truncated(
      to: room,
      mark: terminal.glyph("…", "...")
    )
    return String(repeating: " ", count: indentation) + terminal.paint(shown, note.style)
  }

  private static let gap = 2

  /// Takes columns from the widest column that may shrink, one at a time, until the table fits.
  private func shrink(_ widths: inout [Int], to limit: Int) {
    var excess = widths.reduce(0, +) + Self.gap * max(0, columns.count - 1) - limit
    while excess > 0 {
      let candidates = columns.indices.filter {
        columns[$0].truncation != nil && widths[$0] > Self.minimumColumnWidth
      }
      guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { return }
      widths[widest] -= 1
      excess -= 1
    }
  }

  private func line(_ row: [Cell], widths: [Int], on terminal: Terminal) -> String {
    let mark = terminal.glyph("…", "...")
    var room = terminal.columns ?? .max
    var text = ""
    for (index, cell) in row.enumerated() where room > 0 {
      if index > 0 {
        // The gap is owed only if something follows it.
        guard row[index...].contains(where: { !$0.text.isEmpty }) else { break }
        text += String(repeating: " ", count: min(Self.gap, room))
        room -= Self.gap
      }
      let width = min(widths[index], max(room, 0))
      let shown = cell.text.truncated(
        to: width,
        at: columns[index].truncation ?? .end,
        mark: mark
      )
      let padding = String(repeating: " ", count: max(0, width - shown.displayWidth))
      let isLast = row[(index + 1)...].allSatisfy(\.text.isEmpty)
      switch columns[index].alignment {
      case .leading: text += terminal.paint(shown, cell.style) + (isLast ? "" : padding)
      case .trailing: text += padding + terminal.paint(shown, cell.style)
      }
      room -= width
    }
    return text
  }
}
