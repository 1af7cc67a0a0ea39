/// How a piece of text stands out.
///
/// The sixteen basic colours only: they follow the theme that a person chose for the terminal.
public enum Style: Sendable, CaseIterable {
  /// As the terminal has it.
  case plain
  /// A title, or the one thing to read first.
  case emphasis
  /// What may be overlooked: units, identifiers, axes.
  case faint
  /// A heading of a table or a section.
  case heading
  /// Training is well.
  case success
  /// An alert of severity info.
  case info
  /// An alert of severity warning.
  case warning
  /// An alert of severity critical, and every NaN and infinity.
  case critical

  /// The parameters of the escape sequence that turns this style on; `nil` for ``plain``.
  var parameters: String? {
    switch self {
    case .plain: nil
    case .emphasis: "1"
    case .faint: "2"
    case .heading: "1;4"
    case .success: "32"
    case .info: "36"
    case .warning: "33"
    case .critical: "1;31"
    }
  }
}
