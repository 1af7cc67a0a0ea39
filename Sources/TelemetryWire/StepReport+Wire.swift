import SwiftProtobuf
public import Telemetry

extension StepReport {
  /// Takes a report from the wire and checks what can be checked without its run's model.
  ///
  /// The columns' arrays are moved, not copied.
  ///
  /// - Throws: ``TelemetryError`` for a sequence number of 0, a step above 2^63-1, a time, rate or
  ///   threshold that is not finite, an unknown enum value, or histogram columns that contradict each
  ///   other. The sender must not send the report again.
  public init(wire: consuming Gradwatch_V1_StepReport) throws(TelemetryError) {
    guard wire.sequence > 0 else {
      throw .outOfRange(field: "sequence", expected: "at least 1", found: "0")
    }
    self.init(sequence: wire.sequence, scalars: try StepScalars(wire: wire))
    if wire.hasGradients { gradients = GradientColumns(wire: wire.gradients) }
    if wire.hasParameters { parameters = ParameterColumns(wire: wire.parameters) }
    if wire.hasHistograms { histograms = try ExponentialHistogramColumn(wire: wire.histograms) }
    if wire.hasExplicitHistograms {
      explicitHistograms = try ExplicitHistogramColumn(wire: wire.explicitHistograms)
    }
    if wire.hasActivations { activations = ActivationColumns(wire: wire.activations) }
    for profile in wire.timeStepNorms {
      timeStepNorms.append(try TimeStepNorms(wire: profile))
    }
  }
}

extension Gradwatch_V1_StepReport {
  /// Makes the wire form of a report; groups of which nothing was measured are left out.
  public init(_ report: StepReport) {
    self.init()
    let scalars = report.scalars
    sequence = report.sequence
    step = scalars.step
    wallTimeSeconds = scalars.wallTime.seconds
    losses = scalars.losses.map { loss in .with { ($0.name, $0.value) = (loss.name, loss.value) } }
    if let rate = scalars.learningRate { learningRate = rate }
    if let norm = scalars.globalNorm { globalNorm = norm }
    if let clipping = scalars.clipping {
      self.clipping = .with {
        $0.kind = Gradwatch_V1_ClippingKind(clipping.kind)
        $0.threshold = clipping.threshold
        $0.clipped = clipping.clipped
      }
    }
    if let scale = scalars.lossScale { lossScale = scale }
    gradientsScaled = scalars.gradientsAreScaled
    optimizerSkipped = scalars.optimizerSkipped
    if let size = scalars.batchSize { batchSize = size }
    phase = Gradwatch_V1_TrainingPhase(scalars.phase)
    droppedSteps = scalars.droppedSteps
    annotations = scalars.annotations.map(Gradwatch_V1_StepAnnotation.init)
    if !report.gradients.isEmpty { gradients = .init(report.gradients) }
    if report.parameters != ParameterColumns() { parameters = .init(report.parameters) }
    if let column = report.histograms { histograms = .init(column) }
    if let column = report.explicitHistograms {
      explicitHistograms = .with {
        ($0.tensorIds, $0.bounds, $0.counts) = (column.tensorIDs, column.bounds, column.counts)
      }
    }
    if report.activations != ActivationColumns() { activations = .init(report.activations) }
    timeStepNorms = report.timeStepNorms.map { profile in
      .with {
        ($0.layerID, $0.positions, $0.norms) = (profile.layer, profile.positions, profile.norms)
      }
    }
  }
}
