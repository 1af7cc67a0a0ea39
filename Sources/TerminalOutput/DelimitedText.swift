/// Rows of data as CSV or TSV, for other programs: no colours, every digit, RFC 3339 times.
public enum DelimitedText: Sendable {
  /// RFC 4180: fields between commas, quoted where needed, lines that end in CR LF.
  case comma
  /// Fields between tabs, lines that end in LF. There are no quotes in TSV, so backslash, tab, line
  /// feed and carriage return in a text are written `\\`, `\t`, `\n` and `\r`.
  case tab

  /// One field.
  public enum Field: Hashable, Sendable {
    /// A text.
    case text(String)
    /// A measured value, with all digits that it takes to read it back; NaN and infinities are
    /// written `NaN`, `Infinity` and `-Infinity`, as in protobuf's JSON.
    case real(Double)
    /// A count or a step.
    case integer(UInt64)
    /// Nothing: not measured, or not known.
    case missing
  }

  /// One line, with its end.
  public func line(_ fields: [Field]) -> String {
    switch self {
    case .comma: fields.map { quoted($0.text) }.joined(separator: ",") + "\r\n"
    case .tab: fields.map { escaped($0.text) }.joined(separator: "\t") + "\n"
    }
  }

  /// The line of column names.
  public func header(_ names: [String]) -> String { line(names.map { .text($0) }) }

  private func quoted(_ text: String) -> String {
    // By scalar, because CR LF is one Character.
    guard text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else {
      return text
    }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" { quoted.unicodeScalars.append(scalar) }
      quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
  }

  private func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += #"\\"#
      case "\t": escaped += #"\t"#
      case "\n": escaped += #"\n"#
      case "\r": escaped += #"\r"#
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

extension DelimitedText.Field {
  fileprivate var text: String {
    switch self {
    case .text(let text): text
    case .real(let value): JSONText.plainNumber(value)
    case .integer(let value): String(value)
    case .missing: ""
    }
  }
}
