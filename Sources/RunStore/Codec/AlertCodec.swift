package import Telemetry

/// The bytes of alerts and of their transitions.
///
/// A transition holds the whole alert as it was right after it: a subscriber that resumes gets what
/// it would have got then. `Format.md` draws both.
package enum AlertCodec {
  /// Appends an alert, compressed if that makes it smaller: it is text mostly.
  package static func write(_ alert: Alert, to writer: inout ByteWriter, _ deflater: Deflater) {
    BlobFrame.write(to: &writer, deflater, .thorough) { (writer: inout ByteWriter) in
      writeContent(alert, to: &writer)
    }
  }

  /// Reads an alert.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:_:)`` doesn't write.
  package static func read(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> Alert {
    try BlobFrame.read(bytes) { (reader: inout ByteReader) throws(CodecError) in
      try readContent(from: &reader)
    }
  }

  /// Appends a transition, likewise.
  package static func write(
    _ transition: AlertTransition,
    to writer: inout ByteWriter,
    _ deflater: Deflater
  ) {
    BlobFrame.write(to: &writer, deflater, .thorough) { (writer: inout ByteWriter) in
      writer.append(optional: transition.from?.rawValue)
      writer.append(transition.step)
      writer.append(transition.at.seconds)
      writeContent(transition.alert, to: &writer)
    }
  }

  /// Reads a transition.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:_:)`` doesn't write.
  package static func readTransition(
    _ bytes: UnsafeRawBufferPointer
  ) throws(CodecError) -> AlertTransition {
    try BlobFrame.read(bytes) { (reader: inout ByteReader) throws(CodecError) in
      let from: AlertState? = try reader.readFlag() ? try reader.readCase() : nil
      let step = try reader.read(UInt64.self)
      let at = WallTime(clamping: try reader.readDouble())
      let alert = try readContent(from: &reader)
      return AlertTransition(alert: alert, from: from, step: step, at: at)
    }
  }

  private static func writeContent(_ alert: Alert, to writer: inout ByteWriter) {
    writer.append(alert.id.rawValue)
    writer.append(alert.run.rawValue)
    writer.append(alert.producer.rawValue)
    writer.append(alert.rule.rawValue)
    writer.append(alert.severity.rawValue)
    writer.append(alert.state.rawValue)
    write(alert.scope, to: &writer)
    writer.append(alert.summary)
    writer.append(alert.cause)
    writer.append(alert.confidence)
    write(alert.evidence, to: &writer)
    writer.append(UInt32(alert.remedies.count))
    for remedy in alert.remedies {
      writer.append(remedy.action)
      writer.append(remedy.reason)
    }
    writer.append(alert.firstStep)
    writer.append(optional: alert.firedStep)
    writer.append(optional: alert.resolvedStep)
    writer.append(alert.startedAt.seconds)
    writer.append(optional: alert.firedAt?.seconds.bitPattern)
    writer.append(optional: alert.acknowledgedAt?.seconds.bitPattern)
    writer.append(alert.acknowledgedBy)
    writer.append(optional: alert.resolvedAt?.seconds.bitPattern)
    writer.append(alert.reopenedCount)
  }

  private static func readContent(from reader: inout ByteReader) throws(CodecError) -> Alert {
    let id = AlertID(try reader.readString())
    let run = RunID(stored: try reader.readString())
    let producer = ProducerID(stored: try reader.readString())
    let rule = RuleID(try reader.readString())
    let severity = try reader.readCase(of: Severity.self)
    let state = try reader.readCase(of: AlertState.self)
    let scope = try readScope(from: &reader)
    let summary = try reader.readString()
    let cause = try reader.readString()
    let confidence = try reader.readDouble()
    let evidence = try readEvidence(from: &reader)
    var remedies: [Remedy] = []
    for _ in 0..<(try reader.readEntryCount(atLeast: 8)) {
      let action = try reader.readString()
      remedies.append(Remedy(action: action, reason: try reader.readString()))
    }
    let firstStep = try reader.read(UInt64.self)
    let firedStep = try reader.readOptional(of: UInt64.self)
    let resolvedStep = try reader.readOptional(of: UInt64.self)
    var alert = Alert(
      run: run,
      producer: producer,
      rule: rule,
      severity: severity,
      scope: scope,
      summary: summary,
      cause: cause,
      confidence: confidence,
      evidence: evidence,
      remedies: remedies,
      firstStep: firstStep,
      startedAt: WallTime(clamping: try reader.readDouble())
    )
    alert.id = id
    alert.state = state
    alert.firedStep = firedStep
    alert.resolvedStep = resolvedStep
    alert.firedAt = try readTime(from: &reader)
    alert.acknowledgedAt = try readTime(from: &reader)
    alert.acknowledgedBy = try reader.readString()
    alert.resolvedAt = try readTime(from: &reader)
    alert.reopenedCount = try reader.read()
    return alert
  }

  private static func readTime(from reader: inout ByteReader) throws(CodecError) -> WallTime? {
    try reader.readFlag() ? WallTime(clamping: try reader.readDouble()) : nil
  }

  private static func write(_ scope: AlertScope, to writer: inout ByteWriter) {
    switch scope {
    case .run: writer.append(UInt8(0))
    case .layers(let range):
      writer.append(UInt8(1))
      writer.append(range.lowerBound)
      writer.append(range.upperBound)
    case .tensor(let index):
      writer.append(UInt8(2))
      writer.append(index)
    }
  }

  private static func readScope(from reader: inout ByteReader) throws(CodecError) -> AlertScope {
    let position = reader.position
    switch try reader.read(UInt8.self) {
    case 0: return .run
    case 1:
      let first = try reader.read(UInt32.self)
      let last = try reader.read(UInt32.self)
      guard first <= last else {
        throw .unexpected(
          "byte \(position)",
          expected: "a last layer from \(first)",
          found: "\(last)"
        )
      }
      return .layers(first...last)
    case 2: return .tensor(try reader.read())
    case let kind:
      throw .unexpected("byte \(position)", expected: "scope 0 to 2", found: "\(kind)")
    }
  }

  private static func write(_ evidence: Evidence, to writer: inout ByteWriter) {
    writer.append(evidence.quantity)
    writer.append(evidence.observed)
    writer.append(optional: evidence.baseline?.bitPattern)
    writer.append(optional: evidence.threshold?.bitPattern)
    writer.append(evidence.firstStep)
    writer.append(evidence.lastStep)
    writer.append(UInt32(evidence.recent.count))
    for point in evidence.recent {
      writer.append(point.step)
      writer.append(point.value)
    }
    for names in [evidence.layers, evidence.tensors] {
      writer.append(UInt32(names.count))
      for name in names { writer.append(name) }
    }
    LabelsCodec.write(evidence.facts, to: &writer)
  }

  private static func readEvidence(from reader: inout ByteReader) throws(CodecError) -> Evidence {
    let quantity = try reader.readString()
    let observed = try reader.readDouble()
    let baseline = try reader.readOptional(of: UInt64.self).map { Double(bitPattern: $0) }
    let threshold = try reader.readOptional(of: UInt64.self).map { Double(bitPattern: $0) }
    let firstStep = try reader.read(UInt64.self)
    var evidence = Evidence(
      quantity: quantity,
      observed: observed,
      baseline: baseline,
      threshold: threshold,
      firstStep: firstStep,
      lastStep: try reader.read()
    )
    for _ in 0..<(try reader.readEntryCount(atLeast: 16)) {
      let step = try reader.read(UInt64.self)
      evidence.recent.append(Evidence.Point(step: step, value: try reader.readDouble()))
    }
    evidence.layers = try LabelsCodec.readNames(from: &reader)
    evidence.tensors = try LabelsCodec.readNames(from: &reader)
    evidence.facts = try LabelsCodec.readPairs(from: &reader)
    return evidence
  }
}
