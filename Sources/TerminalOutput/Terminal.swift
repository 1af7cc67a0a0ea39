public import Foundation

/// What the place that text goes to can show.
///
/// A plain value, so that every renderer is a function of it and a test needs no terminal.
public struct Terminal: Hashable, Sendable {
  /// Whether a person reads along.
  public var isInteractive: Bool
  /// Whether escape sequences for colours may be written.
  public var usesColor: Bool
  /// Whether more than ASCII may be drawn; names and texts from outside are shown either way.
  public var usesUnicode: Bool
  /// The width in columns; `nil` if there is none to keep to, as in a pipe.
  public var columns: Int?

  /// The width of plots and paragraphs where there is none to keep to.
  public static let defaultColumns = 80
  /// The narrowest that anything is laid out for.
  public static let minimumColumns = 20
  /// The widest.
  public static let maximumColumns = 1000

  /// The width to lay plots and paragraphs out for.
  public var layoutColumns: Int {
    min(max(columns ?? Self.defaultColumns, Self.minimumColumns), Self.maximumColumns)
  }

  /// Describes a place; by default plain text without bounds.
  public init(
    isInteractive: Bool = false,
    usesColor: Bool = false,
    usesUnicode: Bool = false,
    columns: Int? = nil
  ) {
    self.isInteractive = isInteractive
    self.usesColor = usesColor
    self.usesUnicode = usesUnicode
    self.columns = columns
  }

  /// Describes a file of this process.
  ///
  /// - Parameters:
  ///   - descriptor: The file; standard output is 1.
  ///   - color: What the person asked for.
  ///   - environment: The process's environment: the locale, `TERM`, `COLUMNS` and the colour
  ///     variables.
  public init(
    descriptor: Int32 = 1,
    color: ColorChoice = .auto,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) {
    let isTerminal = isatty(descriptor) == 1
    self.init(
      isInteractive: isTerminal,
      usesColor: color.isOn(isTerminal: isTerminal, environment: environment),
      usesUnicode: Self.canShowUnicode(environment: environment),
      columns: (isTerminal ? Self.windowColumns(of: descriptor) : nil)
        ?? environment["COLUMNS"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        ?? (isTerminal ? Self.defaultColumns : nil)
    )
  }

  /// Whether an environment promises a terminal that shows UTF-8.
  ///
  /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set and not empty decides, as in POSIX;
  /// `TERM=dumb` says no. With none set the locale is "C", which is ASCII.
  public static func canShowUnicode(environment: [String: String]) -> Bool {
    guard environment["TERM"] != "dumb" else { return false }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy
      .compactMap { environment[$0] }
      .first { !$0.isEmpty }
    guard let locale = locale?.lowercased() else { return false }
    return locale.contains("utf-8") || locale.contains("utf8")
  }

  private static func windowColumns(of descriptor: Int32) -> Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Text with its control characters escaped, in a style where colours are on.
  ///
  /// Put painted pieces side by side, never into each other: the escape sequences of an inner piece
  /// would be escaped by the outer one.
  public func paint(_ text: String, _ style: Style = .plain) -> String {
    let text = text.escapingControls
    guard usesColor, !text.isEmpty, let parameters = style.parameters else { return text }
    return "\u{1b}[\(parameters)m\(text)\u{1b}[0m"
  }

  /// A character of a drawing: the first where Unicode can be shown, else the second.
  public func glyph(_ unicode: String, _ ascii: String) -> String {
    usesUnicode ? unicode : ascii
  }
}
