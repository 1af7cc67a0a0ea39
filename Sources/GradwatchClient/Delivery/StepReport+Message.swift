import GRPCCore
import GRPCProtobuf
import TelemetryWire

extension Gradwatch_V1_StepReport {
  /// The wire form of a report under the number that it is sent with.
  init(_ entry: ReportQueue.Entry, sequence: UInt64) {
    self.init(entry.pending.report)
    self.sequence = sequence
    droppedSteps += entry.droppedSteps
  }

  /// Takes everything but the scalars out if all of it is too large for a message.
  ///
  /// - Parameters:
  ///   - limit: The most bytes that a message may take.
  ///   - bound: Bytes that the report takes at the most; only above the limit it is encoded to
  ///     measure it.
  /// - Returns: Whether it was too large.
  mutating func isReduced(to limit: Int, bound: Int) -> Bool {
    guard bound > limit, let bytes: [UInt8] = try? ProtobufSerializer().serialize(self),
      // The report stands in a field of the message.
      bytes.count + 16 > limit
    else { return false }
    clearGradients()
    clearParameters()
    clearHistograms()
    clearExplicitHistograms()
    clearActivations()
    timeStepNorms = []
    return true
  }
}
