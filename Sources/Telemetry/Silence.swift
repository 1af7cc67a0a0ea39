/// A time in which some alerts are not pushed to subscribers; they are stored and listed as ever.
///
/// What is set must all match; at least one is.
public struct Silence: Hashable, Sendable, Identifiable {
  /// The identifier, chosen by the collector.
  public var id: String
  /// The rule; `nil`: any.
  public var rule: RuleID?
  /// The run's project; `nil`: any.
  public var project: String?
  /// The run; `nil`: any.
  public var run: RunID?
  /// A glob that matches every layer that the alert names; `nil`: any, also alerts that name none.
  public var layer: String?
  /// When it ends, by the collector's clock.
  public var endsAt: WallTime
  /// When it was made.
  public var createdAt: WallTime
  /// Who made it.
  public var author: String
  /// Why, for other people; may be empty.
  public var comment: String

  /// Makes a silence that matches everything until matchers are set.
  public init(
    id: String,
    endsAt: WallTime,
    createdAt: WallTime,
    author: String,
    comment: String = ""
  ) {
    self.id = id
    self.endsAt = endsAt
    self.createdAt = createdAt
    self.author = author
    self.comment = comment
  }

  /// Whether an alert is silenced.
  ///
  /// - Parameters:
  ///   - alert: The alert; its evidence names at most ``Evidence/maximumNames`` layers.
  ///   - project: The project of its run.
  ///   - now: The time; a silence that ended silences nothing.
  /// - Returns: Whether it is.
  public func covers(_ alert: Alert, of project: String, at now: WallTime) -> Bool {
    guard now < endsAt, rule == nil || rule == alert.rule, run == nil || run == alert.run,
      self.project == nil || self.project == project
    else { return false }
    guard let layer else { return true }
    let glob = Glob(layer)
    let layers = alert.evidence.layers
    return !layers.isEmpty && layers.allSatisfy(glob.matches)
  }
}
