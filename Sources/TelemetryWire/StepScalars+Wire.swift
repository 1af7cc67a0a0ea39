import SwiftProtobuf
import Telemetry

extension StepScalars {
  /// Takes what a report says of its step as a whole.
  init(wire: borrowing Gradwatch_V1_StepReport) throws(TelemetryError) {
    guard wire.step <= Step.maximum else {
      throw .outOfRange(field: "step", expected: "at most 2^63-1", found: "\(wire.step)")
    }
    self.init(
      step: wire.step,
      wallTime: try WallTime(seconds: wire.wallTimeSeconds, field: "wall_time_seconds")
    )
    guard wire.losses.count <= Self.maximumLosses else {
      throw .outOfRange(
        field: "losses",
        expected: "at most \(Self.maximumLosses)",
        found: "\(wire.losses.count)"
      )
    }
    var names = Set<String>()
    for (index, loss) in wire.losses.enumerated() {
      try Name.check(loss.name, field: "losses[\(index)].name")
      guard names.insert(loss.name).inserted else {
        throw .outOfRange(
          field: "losses[\(index)].name",
          expected: "a name that no other loss has",
          found: "a repeated one"
        )
      }
      losses.append(NamedLoss(name: loss.name, value: loss.value))
    }
    if wire.hasLearningRate {
      guard wire.learningRate.isFinite else {
        throw .outOfRange(
          field: "learning_rate",
          expected: "a finite number",
          found: "\(wire.learningRate)"
        )
      }
      learningRate = wire.learningRate
    }
    if wire.hasGlobalNorm { globalNorm = wire.globalNorm }
    if wire.hasClipping { clipping = try Clipping(wire: wire.clipping) }
    if wire.hasLossScale { lossScale = wire.lossScale }
    gradientsAreScaled = wire.gradientsScaled
    optimizerSkipped = wire.optimizerSkipped
    if wire.hasBatchSize {
      guard wire.batchSize <= UInt64(Int64.max) else {
        throw .outOfRange(
          field: "batch_size",
          expected: "at most 2^63-1",
          found: "\(wire.batchSize)"
        )
      }
      batchSize = wire.batchSize
    }
    phase = try TrainingPhase(wire: wire.phase)
    droppedSteps = wire.droppedSteps
    guard wire.annotations.count <= StepAnnotation.maximumCount else {
      throw .outOfRange(
        field: "annotations",
        expected: "at most \(StepAnnotation.maximumCount)",
        found: "\(wire.annotations.count)"
      )
    }
    for (index, annotation) in wire.annotations.enumerated() {
      annotations.append(try StepAnnotation(wire: annotation, field: "annotations[\(index)]"))
    }
  }

  /// The most losses of a step; multi-task training reports some dozens.
  static let maximumLosses = 1024
}

extension Clipping {
  init(wire: Gradwatch_V1_Clipping) throws(TelemetryError) {
    guard let kind = wire.kind.known(as: Kind.self) else {
      throw .outOfRange(
        field: "clipping.kind",
        expected: "a kind of clipping",
        found: "\(wire.kind.rawValue)"
      )
    }
    guard wire.threshold.isFinite, wire.threshold > 0 else {
      throw .outOfRange(
        field: "clipping.threshold",
        expected: "a finite number above 0",
        found: "\(wire.threshold)"
      )
    }
    self.init(kind: kind, threshold: wire.threshold, clipped: wire.clipped)
  }
}

extension TrainingPhase {
  init(wire: Gradwatch_V1_TrainingPhase) throws(TelemetryError) {
    guard let phase = wire.known(as: TrainingPhase.self) else {
      throw .outOfRange(
        field: "phase",
        expected: "a known training phase",
        found: "\(wire.rawValue)"
      )
    }
    self = phase
  }
}
