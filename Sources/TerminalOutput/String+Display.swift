extension Character {
  /// The number of terminal columns that this character takes: 0, 1 or 2.
  ///
  /// Simple on purpose: the wide blocks of East Asian scripts and of emoji count 2, marks that
  /// stand alone count 0. Terminals themselves differ in the rest.
  public var displayWidth: Int {
    guard let first = unicodeScalars.first else { return 0 }
    if unicodeScalars.contains(where: { $0.value == 0xfe0f }) { return 2 }
    switch first.value {
    case 0x20...0x7e: return 1
    case 0x300...0x36f, 0x200b...0x200f, 0x20d0...0x20ff, 0xfe00...0xfe0f: return 0
    case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff,
      0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff,
      0x1f900...0x1f9ff, 0x20000...0x3fffd:
      return 2
    default: return 1
    }
  }
}

extension String {
  /// The number of terminal columns that this text takes.
  public var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }

  /// This text with every character that could steer a terminal written as an escape.
  ///
  /// Control characters (C0, DEL, C1), line and paragraph separators, and the marks that reorder
  /// text come out as `\n`, `\t`, `\r` or `\u{1b}`; all else is left alone. Names and messages come
  /// from other machines, and a table has one line a row.
  public var escapingControls: String {
    guard unicodeScalars.contains(where: \.steersTerminals) else { return self }
    var escaped = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if scalar.steersTerminals {
        switch scalar {
        case "\n": escaped.append(contentsOf: #"\n"#.unicodeScalars)
        case "\t": escaped.append(contentsOf: #"\t"#.unicodeScalars)
        case "\r": escaped.append(contentsOf: #"\r"#.unicodeScalars)
        default:
          let code = String(scalar.value, radix: 16)
          escaped.append(contentsOf: "\\u{\(code)}".unicodeScalars)
        }
      } else {
        escaped.append(scalar)
      }
    }
    return String(escaped)
  }

  /// Where a text that is too long loses characters.
  public enum Truncation: Sendable {
    /// At its end: prose.
    case end
    /// In its middle: names, whose first and last parts both matter.
    case middle
  }

  /// This text in at most `columns` columns, with a mark where something was left out.
  ///
  /// - Parameters:
  ///   - columns: The columns to keep to; 0 or less gives an empty text.
  ///   - truncation: Where to leave out.
  ///   - mark: What stands for the part left out.
  /// - Returns: The text itself if it fits.
  public func truncated(
    to columns: Int,
    at truncation: Truncation = .end,
    mark: String = "…"
  ) -> String {
    guard displayWidth > columns else { return self }
    let room = columns - mark.displayWidth
    guard room > 0 else { return String(prefix(columns: columns)) }
    switch truncation {
    case .end: return prefix(columns: room) + mark
    case .middle:
      let head = prefix(columns: room / 2)
      let reversedTail = String(reversed()).prefix(columns: room - head.displayWidth)
      return head + mark + String(reversedTail.reversed())
    }
  }

  /// The longest beginning that takes at most `columns` columns.
  private func prefix(columns: Int) -> String {
    var width = 0
    let end = firstIndex { character in
      width += character.displayWidth
      return width > columns
    }
    return String(self[..<(end ?? endIndex)])
  }

  /// This text, filled up with spaces to `columns` columns.
  public func padded(to columns: Int, alignment: Table.Alignment = .leading) -> String {
    let padding = String(repeating: " ", count: max(0, columns - displayWidth))
    return alignment == .leading ? self + padding : padding + self
  }
}

extension Unicode.Scalar {
  /// Whether a terminal may take this scalar for an order instead of text.
  fileprivate var steersTerminals: Bool {
    switch value {
    case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069: true
    default: false
    }
  }
}
