import SwiftProtobuf
public import Telemetry

extension Gradwatch_V1_Alert {
  /// Makes the wire form of an alert.
  public init(_ alert: Alert) {
    self.init()
    alertID = alert.id.rawValue
    runID = alert.run.rawValue
    producerID = alert.producer.rawValue
    rule = alert.rule.rawValue
    severity = Gradwatch_V1_Severity(alert.severity)
    state = Gradwatch_V1_AlertState(alert.state)
    switch alert.scope {
    case .run: break
    case .layers(let range):
      scope.layers = .with {
        ($0.firstLayerID, $0.lastLayerID) = (range.lowerBound, range.upperBound)
      }
    case .tensor(let index): scope.tensorID = index
    }
    summary = alert.summary
    cause = alert.cause
    confidence = alert.confidence
    evidence = Gradwatch_V1_Evidence(alert.evidence)
    remedies = alert.remedies.map { remedy in
      .with { ($0.action, $0.reason) = (remedy.action, remedy.reason) }
    }
    firstStep = alert.firstStep
    if let step = alert.firedStep { firedStep = step }
    if let step = alert.resolvedStep { resolvedStep = step }
    startedAt = .init(alert.startedAt)
    if let time = alert.firedAt { firedAt = .init(time) }
    if let time = alert.acknowledgedAt { acknowledgedAt = .init(time) }
    acknowledgedBy = alert.acknowledgedBy
    if let time = alert.resolvedAt { resolvedAt = .init(time) }
    reopenedCount = alert.reopenedCount
  }
}

extension Gradwatch_V1_Evidence {
  /// Makes the wire form of a rule's evidence.
  public init(_ evidence: Evidence) {
    self.init()
    quantity = evidence.quantity
    observed = evidence.observed
    if let value = evidence.baseline { baseline = value }
    if let value = evidence.threshold { threshold = value }
    firstStep = evidence.firstStep
    lastStep = evidence.lastStep
    recent = evidence.recent.map { point in
      .with { ($0.step, $0.value) = (point.step, point.value) }
    }
    layers = evidence.layers
    tensors = evidence.tensors
    facts = evidence.facts
  }
}

extension Alert {
  /// Takes an alert from a collector.
  ///
  /// - Throws: ``TelemetryError`` for a severity or state that this version does not know.
  public init(wire: Gradwatch_V1_Alert) throws(TelemetryError) {
    guard let severity = Severity(wire: wire.severity) else {
      throw .outOfRange(
        field: "alert.severity",
        expected: "a known severity",
        found: "\(wire.severity.rawValue)"
      )
    }
    guard let state = AlertState(wire: wire.state) else {
      throw .outOfRange(
        field: "alert.state",
        expected: "a known state",
        found: "\(wire.state.rawValue)"
      )
    }
    self.init(
      run: RunID(stored: wire.runID),
      producer: ProducerID(stored: wire.producerID),
      rule: RuleID(wire.rule),
      severity: severity,
      scope: try AlertScope(wire: wire.scope),
      summary: wire.summary,
      cause: wire.cause,
      confidence: wire.confidence,
      evidence: Evidence(wire: wire.evidence),
      remedies: wire.remedies.map { Remedy(action: $0.action, reason: $0.reason) },
      firstStep: wire.firstStep,
      startedAt: WallTime(wire: wire.startedAt)
    )
    id = AlertID(wire.alertID)
    self.state = state
    if wire.hasFiredStep { firedStep = wire.firedStep }
    if wire.hasResolvedStep { resolvedStep = wire.resolvedStep }
    if wire.hasFiredAt { firedAt = WallTime(wire: wire.firedAt) }
    if wire.hasAcknowledgedAt { acknowledgedAt = WallTime(wire: wire.acknowledgedAt) }
    acknowledgedBy = wire.acknowledgedBy
    if wire.hasResolvedAt { resolvedAt = WallTime(wire: wire.resolvedAt) }
    reopenedCount = wire.reopenedCount
  }
}

extension AlertScope {
  init(wire: Gradwatch_V1_AlertScope) throws(TelemetryError) {
    switch wire.scope {
    case nil: self = .run
    case .tensorID(let index): self = .tensor(index)
    case .layers(let range):
      guard range.firstLayerID <= range.lastLayerID else {
        throw .outOfRange(
          field: "alert.scope.layers",
          expected: "a first layer that is not after the last",
          found: "\(range.firstLayerID) to \(range.lastLayerID)"
        )
      }
      self = .layers(range.firstLayerID...range.lastLayerID)
    }
  }
}

extension Evidence {
  init(wire: Gradwatch_V1_Evidence) {
    self.init(
      quantity: wire.quantity,
      observed: wire.observed,
      baseline: wire.hasBaseline ? wire.baseline : nil,
      threshold: wire.hasThreshold ? wire.threshold : nil,
      firstStep: wire.firstStep,
      lastStep: wire.lastStep,
      recent: wire.recent.map { Point(step: $0.step, value: $0.value) },
      layers: wire.layers,
      tensors: wire.tensors,
      facts: wire.facts
    )
  }
}

extension AlertTransition {
  /// Takes a transition from a collector.
  ///
  /// - Throws: ``TelemetryError`` as ``Telemetry/Alert`` does.
  public init(wire: Gradwatch_V1_AlertTransition) throws(TelemetryError) {
    self.init(
      alert: try Alert(wire: wire.alert),
      from: AlertState(wire: wire.fromState),
      step: wire.step,
      at: WallTime(wire: wire.at)
    )
  }
}

extension Gradwatch_V1_AlertTransition {
  /// Makes the wire form of a transition and its place among all.
  public init(_ transition: AlertTransition, cursor: Int64) {
    self.init()
    self.cursor = cursor
    alert = Gradwatch_V1_Alert(transition.alert)
    if let state = transition.from { fromState = Gradwatch_V1_AlertState(state) }
    step = transition.step
    at = .init(transition.at)
  }
}
