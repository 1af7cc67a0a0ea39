/// An alert that a collector should, or should not, raise on an experiment.
public struct ExpectedAlert: Hashable, Sendable {
  /// How bad, in the collector's words.
  public enum Severity: String, Sendable, Comparable {
    /// Worth knowing.
    case info
    /// Somebody should look.
    case warning
    /// Training does not work.
    case critical

    /// Orders from ``info`` to ``critical``.
    public static func < (lhs: Severity, rhs: Severity) -> Bool { lhs.rank < rhs.rank }

    private var rank: Int {
      switch self {
      case .info: 0
      case .warning: 1
      case .critical: 2
      }
    }
  }

  /// The rule's identifier, such as `vanishing_gradient`; `nil` for every rule.
  public let rule: String?
  /// The least severity that counts.
  public let severity: Severity

  /// Makes an alert of one rule, at this severity or a higher one.
  public init(_ rule: String, _ severity: Severity) {
    self.rule = rule
    self.severity = severity
  }

  private init(severity: Severity) {
    rule = nil
    self.severity = severity
  }

  /// Makes an alert of any rule, at this severity or a higher one.
  public static func any(_ severity: Severity) -> ExpectedAlert {
    ExpectedAlert(severity: severity)
  }

  /// Returns whether an alert that was raised is one that is meant here.
  public func matches(rule: String, severity: Severity) -> Bool {
    (self.rule == nil || self.rule == rule) && severity >= self.severity
  }
}
