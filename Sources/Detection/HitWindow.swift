import Telemetry

/// Whether a condition held at each of the last 64 evaluations, one bit each.
struct HitWindow: Sendable {
  /// The evaluations; the lowest bit is the latest one.
  private(set) var bits: UInt64 = 0

  /// Takes the next evaluation.
  mutating func record(_ hit: Bool) { bits = bits << 1 | (hit ? 1 : 0) }

  /// How many of the last `window` evaluations were hits; `window` is from 1 to 64.
  func count(inLast window: Int) -> Int {
    (bits & (window >= 64 ? .max : (1 << UInt64(window)) - 1)).nonzeroBitCount
  }

  /// Visits the bits.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&bits)
  }
}

/// The evaluations at which the bound of each severity was passed.
struct SeverityHits: Sendable {
  private(set) var info = HitWindow()
  private(set) var warning = HitWindow()
  private(set) var critical = HitWindow()

  /// Takes the next evaluation: the severity that was met, and so the ones below it.
  mutating func record(_ met: Severity?) {
    info.record(met != nil)
    warning.record(met.map { $0 >= .warning } ?? false)
    critical.record(met == .critical)
  }

  /// The evaluations at which at least `severity` was met.
  subscript(severity: Severity) -> HitWindow {
    switch severity {
    case .info: info
    case .warning: warning
    case .critical: critical
    }
  }

  /// Visits the bits.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try info.code(&coder)
    try warning.code(&coder)
    try critical.code(&coder)
  }
}
