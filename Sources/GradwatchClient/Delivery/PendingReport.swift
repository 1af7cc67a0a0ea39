package import Telemetry

/// A report that waits for its ack.
///
/// A class, so that the queue moves a pointer and not the 30 columns of a report.
package final class PendingReport: Sendable {
  /// The report; its sequence number counts for nothing.
  package let report: StepReport
  /// About how much memory it holds.
  package let bytes: Int

  /// Takes a report from the training loop.
  package init(_ report: consuming StepReport) {
    bytes = report.approximateBytes
    self.report = report
  }
}
