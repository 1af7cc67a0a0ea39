/// What was set for projects, and for all that have nothing of their own.
public struct RetentionSettings: Sendable, Equatable {
  /// For projects without an entry of their own; `nil`: nothing was set.
  public var standard: Retention?
  /// By project; an entry stands in place of ``standard`` as a whole.
  public var projects: [String: Retention]

  /// Makes settings.
  public init(standard: Retention? = nil, projects: [String: Retention] = [:]) {
    self.standard = standard
    self.projects = projects
  }

  /// What is in force for a project.
  public func inForce(for project: String) -> Retention {
    projects[project] ?? standard ?? Retention()
  }
}
