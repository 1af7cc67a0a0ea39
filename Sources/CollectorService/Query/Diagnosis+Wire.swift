import Query
import SwiftProtobuf
import Telemetry
import TelemetryWire

extension Gradwatch_V1_Diagnosis {
  /// Makes the wire form of a story.
  init(_ diagnosis: Diagnosis) {
    self.init()
    runID = diagnosis.run.rawValue
    status = Gradwatch_V1_RunStatus(diagnosis.status)
    verdict = Gradwatch_V1_Verdict(diagnosis.verdict)
    summary = diagnosis.summary
    if let severity = diagnosis.openSeverity { openSeverity = .init(severity) }
    stepCount = diagnosis.stepCount
    if let step = diagnosis.lastStep { lastStep = step }
    if let course = diagnosis.loss { loss = Gradwatch_V1_LossCourse(course) }
    let findings = diagnosis.roots.reduce(0) { $0 + $1.finding.all.count }
    // An alert takes some kilobytes, and a client's message 4 MiB unless it asks for more.
    let wholeAlerts = min(16, max(1, 256 / max(1, findings)))
    roots = diagnosis.roots.map { root in
      .with {
        $0.finding = Gradwatch_V1_Finding(root.finding, wholeAlerts: wholeAlerts)
        $0.remedies = root.remedies.map(Gradwatch_V1_Remedy.init)
        $0.cautions = root.cautions.map(Gradwatch_V1_Remedy.init)
      }
    }
    blindSpots = diagnosis.blindSpots.map { spot in
      .with {
        $0.columns = spot.columns.map(\.rawValue)
        $0.rules = spot.rules.map(\.rawValue)
        $0.producerIds = spot.producers.map(\.rawValue)
      }
    }
    alertCount = UInt64(diagnosis.alertCount)
    omittedAlertCount = UInt64(diagnosis.omittedAlertCount)
  }
}

extension Gradwatch_V1_Verdict {
  init(_ verdict: Diagnosis.Verdict) {
    self =
      switch verdict {
      case .noData: .noData
      case .healthy: .healthy
      case .recovered: .recovered
      case .sick: .sick
      }
  }
}

extension Gradwatch_V1_Finding {
  /// Makes the wire form of a finding and all below it, each with so many of its alerts whole.
  init(_ finding: Finding, wholeAlerts: Int) {
    self.init()
    rule = finding.rule.rawValue
    severity = Gradwatch_V1_Severity(finding.severity)
    open = finding.isOpen
    summary = finding.summary
    reason = finding.reason
    confidence = finding.confidence
    firstStep = finding.firstStep
    firedStep = finding.firedStep
    if let step = finding.resolvedStep { resolvedStep = step }
    layers = finding.layers
    producerIds = finding.producers.map(\.rawValue)
    ranks = finding.ranks
    alertIds = finding.alerts.map(\.id.rawValue)
    alerts = finding.alerts.prefix(wholeAlerts).map(Gradwatch_V1_Alert.init)
    if let claim = finding.claim {
      self.claim = .with {
        ($0.reason, $0.confidence, $0.delaySteps) = (claim.reason, claim.confidence, claim.delay)
      }
    }
    consequences = finding.consequences.map {
      Gradwatch_V1_Finding($0, wholeAlerts: wholeAlerts)
    }
  }
}

extension Gradwatch_V1_Remedy {
  fileprivate init(_ remedy: Remedy) {
    self.init()
    (action, reason) = (remedy.action, remedy.reason)
  }
}

extension Gradwatch_V1_LossCourse {
  init(_ course: LossCourse) {
    self.init()
    first = course.first
    if let loss = course.best { best = loss }
    if let step = course.bestStep { bestStep = step }
    last = course.last
    if let step = course.firstNonFiniteStep { firstNonFiniteStep = step }
  }
}
