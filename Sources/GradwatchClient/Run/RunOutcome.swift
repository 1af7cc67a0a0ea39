/// What came of a run: what its body returned, and what became of its telemetry.
public struct RunOutcome<Value> {
  /// What the body returned.
  public let value: Value
  /// What became of the reports; its state is `completed` or `failed`.
  public let delivery: DeliveryStatus
}

extension RunOutcome: Sendable where Value: Sendable {}
