import Telemetry

extension StateCoder {
  /// The scope of an alert: a kind and two indices.
  mutating func code(_ scope: inout AlertScope) throws(SnapshotError) {
    var (kind, first, last): (UInt32, UInt32, UInt32) =
      switch scope {
      case .run: (0, 0, 0)
      case .layers(let range): (1, range.lowerBound, range.upperBound)
      case .tensor(let index): (2, index, index)
      }
    try code(&kind)
    try code(&first)
    try code(&last)
    switch kind {
    case 0: scope = .run
    case 1 where first <= last: scope = .layers(first...last)
    case 2: scope = .tensor(first)
    default: throw malformed()
    }
  }

  /// An alert, without the run, producer and rule that its reader knows.
  mutating func code(_ alert: inout Alert) throws(SnapshotError) {
    var id = alert.id.rawValue
    try code(&id)
    alert.id = AlertID(id)
    try code(&alert.severity)
    try code(&alert.state)
    try code(&alert.scope)
    try code(&alert.summary)
    try code(&alert.cause)
    try code(&alert.confidence)
    try code(&alert.evidence)
    try code(&alert.remedies, maximum: 64, placeholder: Remedy(action: "", reason: "")) {
      (coder, remedy) throws(SnapshotError) in
      try coder.code(&remedy.action)
      try coder.code(&remedy.reason)
    }
    try code(&alert.firstStep)
    try code(&alert.firedStep)
    try code(&alert.resolvedStep)
    try code(&alert.startedAt)
    try code(&alert.firedAt)
    try code(&alert.acknowledgedAt)
    try code(&alert.acknowledgedBy)
    try code(&alert.resolvedAt)
    try code(&alert.reopenedCount)
  }

  private mutating func code(_ evidence: inout Evidence) throws(SnapshotError) {
    try code(&evidence.quantity)
    try code(&evidence.observed)
    try code(&evidence.baseline)
    try code(&evidence.threshold)
    try code(&evidence.firstStep)
    try code(&evidence.lastStep)
    try code(&evidence.recent)
    try code(names: &evidence.layers, maximum: Evidence.maximumNames)
    try code(names: &evidence.tensors, maximum: Evidence.maximumNames)
    // Sorted, because a dictionary's order differs from process to process.
    var facts = evidence.facts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    try code(&facts, maximum: 64, placeholder: ("", "")) { (coder, fact) throws(SnapshotError) in
      try coder.code(&fact.0)
      try coder.code(&fact.1)
    }
    evidence.facts = Dictionary(facts) { first, _ in first }
  }

  /// Points of evidence, at most as many as an alert may carry.
  mutating func code(_ points: inout [Evidence.Point]) throws(SnapshotError) {
    try code(
      &points,
      maximum: Evidence.maximumRecent,
      placeholder: Evidence.Point(step: 0, value: 0)
    ) { (coder, point) throws(SnapshotError) in
      try coder.code(&point.step)
      try coder.code(&point.value)
    }
  }
}
