import TerminalOutput

/// How sure something is, as people say it.
enum Sureness {
  /// A confidence from 0 to 1, in percent and in words.
  static func words(_ confidence: Double) -> String {
    let word =
      switch confidence {
      case 0.9...: "almost certain"
      case 0.7...: "likely"
      case 0.4...: "possible"
      default: "a guess"
      }
    return "\(NumberText.percent(confidence)), \(word)"
  }
}
