/// What was set for projects, and for all that have nothing of their own.
public struct RetentionSettings: Sendable, Equatable {
  /// What was set for one project.
  public struct Entry: Sendable, Equatable {
    /// The project.
    public var project: String
    /// Stands in place of ``RetentionSettings/standard`` as a whole.
    public var retention: Retention

    /// Makes an entry.
    public init(project: String, retention: Retention) {
      self.project = project
      self.retention = retention
    }
  }

  /// For projects without an entry of their own; `nil`: nothing was set.
  public var standard: Retention?
  /// By project, in the order of their bytes.
  public var entries: [Entry]

  /// Makes settings.
  public init(standard: Retention? = nil, entries: [Entry] = []) {
    self.standard = standard
    self.entries = entries
  }

  /// What is in force for a project; byte by byte, as a store has them, two spellings of one accented letter are two projects.
  public func inForce(for project: String) -> Retention {
    entries.first { $0.project.utf8.elementsEqual(project.utf8) }?.retention
      ?? standard ?? Retention()
  }
}
