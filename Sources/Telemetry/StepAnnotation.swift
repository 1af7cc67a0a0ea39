/// Something that was done about the training at a step: what a loop that acts on alerts did, say.
public struct StepAnnotation: Hashable, Sendable {
  /// What was done, as an identifier, such as `lower_rate`.
  public var action: String
  /// The same for people, such as `learning rate 0.01 -> 0.002`; empty if there is no more to say.
  public var detail: String
  /// The alert that it answers; `nil` if none.
  public var alert: AlertID?

  /// The most annotations of one report; a loop does one or two things about an alert.
  public static let maximumCount = 16

  /// Makes an annotation.
  ///
  /// A collector refuses the report of one whose texts ``Name/check(_:field:)`` would refuse; only
  /// `detail` may be empty.
  public init(action: String, detail: String = "", alert: AlertID? = nil) {
    self.action = action
    self.detail = detail
    self.alert = alert
  }
}
