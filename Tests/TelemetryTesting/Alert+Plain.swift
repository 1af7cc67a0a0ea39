public import Telemetry

extension Alert {
  /// An alert that only its run, producer and rule tell from others.
  public static func plain(run: RunID, producer: ProducerID, rule: String) -> Alert {
    Alert(
      run: run,
      producer: producer,
      rule: RuleID(rule),
      severity: .warning,
      scope: .run,
      summary: "",
      cause: "",
      confidence: 1,
      evidence: Evidence(quantity: "", observed: 0, firstStep: 0, lastStep: 0),
      remedies: [],
      firstStep: 0,
      startedAt: WallTime(clamping: 1)
    )
  }
}
