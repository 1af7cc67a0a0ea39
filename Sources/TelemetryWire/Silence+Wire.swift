import SwiftProtobuf
public import Telemetry

extension Silence {
  /// Takes a silence from a client and checks it.
  ///
  /// - Parameters:
  ///   - wire: The silence; its identifier and the time at which it was made are not read.
  ///   - id: The identifier that it gets.
  ///   - now: The collector's time.
  /// - Throws: ``TelemetryError`` if no matcher is set, a matcher or the author is no proper name, the
  ///   comment is too long, or the end is not after `now`.
  public init(
    wire: Gradwatch_V1_Silence,
    id: String,
    at now: WallTime
  ) throws(TelemetryError) {
    let matchers = [
      ("rule", wire.rule), ("project", wire.project), ("run_id", wire.runID),
      ("layer", wire.layer),
    ]
    for (field, value) in matchers where !value.isEmpty {
      try Name.check(value, field: "silence.\(field)")
    }
    guard matchers.contains(where: { !$0.1.isEmpty }) else {
      throw .outOfRange(
        field: "silence",
        expected: "a rule, project, run_id or layer",
        found: "none"
      )
    }
    try Name.check(wire.author, field: "silence.author")
    if !wire.comment.isEmpty { try Name.check(wire.comment, field: "silence.comment") }
    let end = WallTime(wire: wire.endsAt)
    guard wire.hasEndsAt, end > now else {
      throw .outOfRange(
        field: "silence.ends_at",
        expected: "a time after the collector's, \(now.seconds) s since 1970",
        found: wire.hasEndsAt ? "\(end.seconds)" : "none"
      )
    }
    self.init(
      id: id,
      endsAt: end,
      createdAt: now,
      author: wire.author,
      comment: wire.comment
    )
    if !wire.rule.isEmpty { rule = RuleID(wire.rule) }
    if !wire.project.isEmpty { project = wire.project }
    if !wire.runID.isEmpty { run = try RunID(wire.runID) }
    if !wire.layer.isEmpty { layer = wire.layer }
  }
}

extension Gradwatch_V1_Silence {
  /// Makes the wire form of a silence.
  public init(_ silence: Silence) {
    self.init()
    silenceID = silence.id
    rule = silence.rule?.rawValue ?? ""
    project = silence.project ?? ""
    runID = silence.run?.rawValue ?? ""
    layer = silence.layer ?? ""
    endsAt = .init(silence.endsAt)
    createdAt = .init(silence.createdAt)
    author = silence.author
    comment = silence.comment
  }
}
