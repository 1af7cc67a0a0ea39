import Query
import SwiftProtobuf
import Telemetry
import TelemetryWire

extension Gradwatch_V1_RunComparison {
  /// Makes the wire form of what differs as a whole.
  init(_ comparison: RunComparison) {
    self.init()
    summary = comparison.summary
    a = .init(comparison.a)
    b = .init(comparison.b)
    commonStepCount = comparison.commonStepCount
    firstCommonStep = comparison.firstCommonStep
    lastCommonStep = comparison.lastCommonStep
    if let step = comparison.identicalUntilStep { identicalUntilStep = step }
    if let step = comparison.firstDifferenceStep { firstDifferenceStep = step }
    firstDifferences = comparison.firstDifferences
    if let first = comparison.firstParting {
      firstParting = .with {
        ($0.layerName, $0.parting) = (first.name, .init(first.parting))
      }
    }
    layerCount = UInt32(clamping: comparison.layerCount)
    partedLayerCount = UInt32(clamping: comparison.partedLayerCount)
    omittedLayerCount = UInt32(clamping: comparison.omittedLayerCount)
    losses = comparison.losses.map { loss in
      .with {
        $0.name = loss.name
        if let course = loss.a { $0.a = .init(course) }
        if let course = loss.b { $0.b = .init(course) }
        if let parting = loss.parting { $0.parting = .init(parting) }
      }
    }
    hyperparameters = comparison.hyperparameters.map(Gradwatch_V1_SettingDifference.init)
    stepSettings = comparison.stepSettings.map { difference in
      .with {
        ($0.name, $0.firstStep) = (difference.name, difference.firstStep)
        if let value = difference.a { $0.a = value }
        if let value = difference.b { $0.b = value }
      }
    }
    model = comparison.model.map(Gradwatch_V1_SettingDifference.init)
    rules = comparison.rules.map { rule in
      .with {
        $0.rule = rule.rule.rawValue
        if let occurrence = rule.a { $0.a = .init(occurrence) }
        if let occurrence = rule.b { $0.b = .init(occurrence) }
      }
    }
  }
}

extension Gradwatch_V1_LayerComparison {
  /// Makes the wire form of a layer of both runs.
  init(_ layer: LayerComparison) {
    self.init()
    (layerIDA, layerIDB, layerName) = (layer.a, layer.b, layer.name)
    if let parting = layer.parting { self.parting = .init(parting) }
    a = .init(layer.pointsA)
    b = .init(layer.pointsB)
  }
}

extension Gradwatch_V1_Parting {
  fileprivate init(_ parting: Parting) {
    self.init()
    kind =
      switch parting.kind {
      case .ratio: .ratio
      case .nonFinite: .nonFinite
      case .presence: .presence
      }
    step = parting.step
    if let value = parting.a { a = value }
    if let value = parting.b { b = value }
    usualLogRatio = parting.usualLogRatio
    logRatioBand = parting.band
  }
}

extension Gradwatch_V1_ComparedRun {
  fileprivate init(_ run: ComparedRun) {
    self.init()
    runID = run.run.rawValue
    producerID = run.producer.rawValue
    stepCount = run.stepCount
    ownStepCount = run.ownStepCount
    if let step = run.lastStep { lastStep = step }
    ownTensors = run.ownTensors
    ownLayers = run.ownLayers
  }
}

extension Gradwatch_V1_SettingDifference {
  fileprivate init(_ difference: RunComparison.Difference) {
    self.init()
    name = difference.name
    if let text = difference.a { a = text }
    if let text = difference.b { b = text }
  }
}

extension Gradwatch_V1_RuleOccurrence {
  fileprivate init(_ occurrence: RuleComparison.Occurrence) {
    self.init()
    alertCount = UInt32(clamping: occurrence.count)
    severity = Gradwatch_V1_Severity(occurrence.severity)
    firstStep = occurrence.firstStep
    layers = occurrence.layers
  }
}
