/// What the delivery of one run's reports keeps to.
package struct DeliveryLimits: Sendable {
  /// Reports that may wait.
  package var bufferedReports = 65_536
  /// Bytes that may wait.
  package var bufferedBytes = 64 << 20
  /// Bytes that may be sent and not acked: gRPC's writer takes whatever it is given, into memory.
  package var inFlightBytes = 8 << 20
  /// The longest pause after one failure; it doubles with each further one.
  package var initialBackoff = Duration.milliseconds(200)
  /// The longest pause at all.
  package var maximumBackoff = Duration.seconds(5)
  /// Whether the first registration has one attempt only.
  package var requiresCollector = false
  /// Whether the end of this process is the end of the run.
  package var finishesRun = true

  /// Makes the defaults.
  package init() {}
}
