import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

extension Gradwatch_V1_Run {
  /// Makes the wire form of a run.
  init(_ run: RunRecord) {
    self.init()
    runID = run.run.rawValue
    project = run.project
    name = run.name
    tags = run.tags
    hyperparameters = run.hyperparameters
    framework = run.framework
    status = Gradwatch_V1_RunStatus(run.status)
    statusReason = run.statusReason
    createdAt = .init(run.createdAt)
    if let time = run.finishedAt { finishedAt = .init(time) }
    layerCount = UInt32(clamping: run.layerCount)
    tensorCount = UInt32(clamping: run.tensorCount)
    producers = run.producers.map(Gradwatch_V1_ProducerState.init)
    if let step = run.lastStep { lastStep = step }
    openAlerts.info = UInt32(clamping: run.openAlerts[.info] ?? 0)
    openAlerts.warning = UInt32(clamping: run.openAlerts[.warning] ?? 0)
    openAlerts.critical = UInt32(clamping: run.openAlerts[.critical] ?? 0)
  }
}

extension Gradwatch_V1_ProducerState {
  /// Makes the wire form of a producer's state.
  init(_ record: ProducerRecord) {
    self.init()
    producer = Gradwatch_V1_Producer(record.producer)
    lastSequence = record.lastSequence
    if let step = record.lastStep { lastStep = step }
    if let time = record.lastReceivedAt { lastReceivedAt = .init(time) }
  }
}

extension Gradwatch_V1_Refusal {
  /// Makes the wire form of a refusal.
  init(sequence: UInt64, error: TelemetryError) {
    self.init()
    self.sequence = sequence
    field = error.field
    reason = error.description
  }
}
