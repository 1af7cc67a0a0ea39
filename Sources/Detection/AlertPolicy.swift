import Telemetry

/// How long a rule's condition must hold before an alert fires, and be gone before it resolves.
struct AlertPolicy: Sendable {
  /// Hits that are needed within the last so many evaluations (up to 64).
  struct Debounce: Sendable {
    var hits: Int
    var window: Int

    /// One hit is enough.
    static let none = Debounce(hits: 1, window: 1)
  }

  /// What an alert of each severity needs to fire.
  var info: Debounce
  var warning: Debounce
  var critical: Debounce
  /// Clean evaluations in a row before it resolves.
  var cleanEvaluations: UInt64

  /// Steps after its resolution within which an alert that returns is the same one, and within
  /// which more than ``maximumReturns`` returns hold it open.
  static let flapSteps: UInt64 = 500
  /// Returns within ``flapSteps`` before an alert is held open.
  static let maximumReturns = 3

  /// The same debounce for every severity.
  init(_ debounce: Debounce, cleanEvaluations: UInt64) {
    self.init(
      info: debounce,
      warning: debounce,
      critical: debounce,
      cleanEvaluations: cleanEvaluations
    )
  }

  /// A debounce for each severity.
  init(info: Debounce, warning: Debounce, critical: Debounce, cleanEvaluations: UInt64) {
    self.info = info
    self.warning = warning
    self.critical = critical
    self.cleanEvaluations = cleanEvaluations
  }

  /// The longest of the windows.
  var longestWindow: Int { max(info.window, warning.window, critical.window) }

  /// The debounce of one severity.
  subscript(severity: Severity) -> Debounce {
    switch severity {
    case .info: info
    case .warning: warning
    case .critical: critical
    }
  }
}
