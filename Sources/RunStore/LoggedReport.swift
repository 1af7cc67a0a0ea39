public import Telemetry

/// A report as the log holds it.
public struct LoggedReport: Sendable, Equatable {
  /// The report, bit for bit as it was accepted.
  public var report: StepReport
  /// When it arrived, by the collector's clock.
  public var receivedAt: WallTime
  /// Whether the producer went back with it.
  public var rewinds: Bool

  /// Makes a logged report.
  public init(report: StepReport, receivedAt: WallTime, rewinds: Bool) {
    self.report = report
    self.receivedAt = receivedAt
    self.rewinds = rewinds
  }
}
