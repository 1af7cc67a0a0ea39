/// Prose that is wrapped to a width.
public enum Paragraph {
  /// Breaks a text at its spaces into lines of at most `columns` columns.
  ///
  /// - Parameters:
  ///   - text: The text; runs of spaces and line feeds become one space, other control characters
  ///     are escaped.
  ///   - columns: The width; a word that is longer stands alone on its line, uncut, so that a name
  ///     can still be copied.
  /// - Returns: The lines, without line feeds; none if the text has no words.
  public static func lines(_ text: String, columns: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for part in text.split(whereSeparator: \.isWhitespace) {
      let word = String(part).escapingControls
      if line.isEmpty {
        line = word
      } else if line.displayWidth + 1 + word.displayWidth <= columns {
        line += " " + word
      } else {
        lines.append(line)
        line = word
      }
    }
    if !line.isEmpty { lines.append(line) }
    return lines
  }

  /// A wrapped text behind a label, the lines below the first indented to its width.
  ///
  /// - Parameters:
  ///   - label: What stands before the first line; may be empty.
  ///   - labelStyle: The label's style.
  ///   - indentation: The columns before the text of every line; the label is filled up to them.
  ///   - text: The text.
  ///   - style: The text's style.
  ///   - terminal: Where it goes.
  /// - Returns: The lines, each with its line feed; empty if the text has no words.
  public static func labelled(
    _ label: String,
    _ labelStyle: Style = .plain,
    indentation: Int,
    text: String,
    style: Style = .plain,
    on terminal: Terminal
  ) -> String {
    let lines = lines(text, columns: max(terminal.layoutColumns - indentation, 16))
    return lines.enumerated().reduce(into: "") { result, line in
      let margin = line.offset == 0 ? label.escapingControls : ""
      let padding = String(repeating: " ", count: max(0, indentation - margin.displayWidth))
      result += terminal.paint(margin, labelStyle) + padding + terminal.paint(line.element, style)
      result += "\n"
    }
  }
}
