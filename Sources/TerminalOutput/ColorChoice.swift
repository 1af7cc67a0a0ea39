/// What a person asked of colours: the values of `--color`.
public enum ColorChoice: String, Sendable, CaseIterable {
  /// Colours on a terminal that can show them.
  case auto
  /// Colours, wherever the output goes.
  case always
  /// No colours.
  case never

  /// Decides whether colours are used.
  ///
  /// A choice other than ``auto`` wins. Then, in this order: `NO_COLOR` set and not empty turns
  /// them off (no-color.org), `CLICOLOR_FORCE` set and not `0` turns them on, `CLICOLOR=0` and
  /// `TERM=dumb` turn them off, and a terminal turns them on.
  ///
  /// - Parameters:
  ///   - isTerminal: Whether the output goes to a terminal.
  ///   - environment: The process's environment.
  /// - Returns: Whether to write colours.
  public func isOn(isTerminal: Bool, environment: [String: String]) -> Bool {
    switch self {
    case .always: return true
    case .never: return false
    case .auto:
      if environment["NO_COLOR"]?.isEmpty == false { return false }
      if let forced = environment["CLICOLOR_FORCE"], forced != "0", !forced.isEmpty { return true }
      if environment["CLICOLOR"] == "0" || environment["TERM"] == "dumb" { return false }
      return isTerminal
    }
  }
}
