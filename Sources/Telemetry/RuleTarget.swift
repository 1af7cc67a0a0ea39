/// Whose rules a rule set changes.
public enum RuleTarget: Hashable, Sendable {
  /// Those of all runs of a project.
  case project(String)
  /// Those of one run, above its project's.
  case run(RunID)
}
