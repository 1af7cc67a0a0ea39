/// One change of an alert: of its state, or of its severity while it fires.
public struct AlertTransition: Hashable, Sendable {
  /// The alert as it is after the change.
  public var alert: Alert
  /// The state before; `nil` if the alert is new.
  public var from: AlertState?
  /// The step of the report that caused it, or the run's last one if a clock or a person did.
  public var step: UInt64
  /// When it happened, by the collector's clock.
  public var at: WallTime

  /// Makes a transition to the state that `alert` is in.
  public init(alert: Alert, from: AlertState?, step: UInt64, at: WallTime) {
    self.alert = alert
    self.from = from
    self.step = step
    self.at = at
  }
}
