/// A series of values in one line, a character a value.
public enum Sparkline {
  private static let blocks = Array("▁▂▃▄▅▆▇█")
  private static let asciiBlocks = Array("_.-~=+*#")

  /// Draws values as bars of eight heights.
  ///
  /// - Parameters:
  ///   - values: The values, oldest first; `nil` leaves a gap. NaN and infinities are marked with a
  ///     cross.
  ///   - columns: The most characters; more values share characters, which then show the largest
  ///     magnitude among them, and a cross if any is not finite.
  ///   - scale: How heights are chosen, from the smallest value to the largest. All the same: half
  ///     high. On a logarithmic scale 0 is the lowest.
  ///   - terminal: Where it goes.
  /// - Returns: The line, crosses painted in the critical style; empty if there are no values.
  public static func render(
    _ values: [Double?],
    columns: Int = .max,
    scale: ScaleChoice = .automatic,
    on terminal: Terminal
  ) -> String {
    let cells = condensed(values, to: columns)
    let fitted = ValueScale(cells.lazy.compactMap { $0 }, choice: scale)
    var text = ""
    var run = ""
    for cell in cells {
      let glyph = glyph(of: cell, scale: fitted, on: terminal)
      if let cell, !cell.isFinite {
        text += terminal.paint(run) + terminal.paint(glyph, .critical)
        run = ""
      } else {
        run += glyph
      }
    }
    return text + terminal.paint(run)
  }

  private static func glyph(
    of cell: Double?,
    scale: ValueScale?,
    on terminal: Terminal
  ) -> String {
    guard let cell else { return " " }
    guard cell.isFinite else { return terminal.glyph("×", "!") }
    let levels = terminal.usesUnicode ? blocks : asciiBlocks
    let position = scale.map { $0.position(of: cell) ?? 0 } ?? 0.5
    return String(levels[min(Int(position * Double(levels.count)), levels.count - 1)])
  }

  /// At most `columns` values; those that share a place show the largest magnitude among them, or what is
  /// not finite.
  static func condensed(_ values: [Double?], to columns: Int) -> [Double?] {
    guard values.count > columns, columns > 0 else { return values }
    return (0..<columns).map { column in
      // The last of a column's values begins where the next column begins.
      let shared = values[column * values.count / columns..<(column + 1) * values.count / columns]
      return shared.compactMap { $0 }.reduce(nil) { (most: Double?, value: Double) in
        guard let most else { return value }
        if !most.isFinite || !value.isFinite { return most.isFinite ? value : most }
        return abs(value) > abs(most) ? value : most
      }
    }
  }
}
