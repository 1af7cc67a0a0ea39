import Synchronization
import Telemetry
import TerminalOutput

/// The alerts of one run: told as they fire and resolve, and counted.
final class AlertLog: Sendable {
  private let console: Console
  private let severities = Mutex<[AlertID: Severity]>([:])

  init(console: Console) { self.console = console }

  /// Tells alerts until the run has ended.
  func follow(_ alerts: AsyncStream<AlertTransition>) async {
    for await transition in alerts {
      let alert = transition.alert
      // An alert that only waits to fire is nobody's business yet.
      guard alert.firedStep != nil else { continue }
      severities.withLock { $0[alert.id] = alert.severity }
      console.write(Self.lines(transition, on: console.output))
    }
  }

  /// How many alerts fired, the worst first, such as `2 critical, 1 info`; `no alerts` if none did.
  var counts: String {
    let severities = severities.withLock { Array($0.values) }
    let parts = Severity.allCases.sorted(by: >).compactMap { severity in
      let count = severities.count { $0 == severity }
      return count == 0 ? nil : "\(count) \(severity)"
    }
    return parts.isEmpty ? "no alerts" : parts.joined(separator: ", ")
  }

  private static func lines(_ transition: AlertTransition, on terminal: Terminal) -> String {
    let alert = transition.alert
    guard alert.state != .resolved else {
      return terminal.paint("resolved".padded(to: 9), .success)
        + terminal.paint("step \(transition.step)  \(alert.rule): \(alert.summary)", .faint) + "\n"
    }
    var text =
      terminal.paint("\(alert.severity)".padded(to: 9), style(of: alert.severity))
      + terminal.paint("step \(transition.step)  ", .faint)
      + terminal.paint("\(alert.rule)", .emphasis) + terminal.paint(": \(alert.summary)") + "\n"
    if let remedy = alert.remedies.first {
      text += String(repeating: " ", count: 9) + terminal.paint("try: \(remedy.action)") + "\n"
    }
    return text
  }

  private static func style(of severity: Severity) -> Style {
    switch severity {
    case .info: .info
    case .warning: .warning
    case .critical: .critical
    }
  }
}
