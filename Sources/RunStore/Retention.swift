public import Telemetry

/// How much of a project is kept; a limit that is `nil` does not restrict, and none at all keeps everything.
///
/// Only runs that ended are ever pruned, the one that ended first before the others; one that nothing was heard of for
/// ``silence`` ended with its last report. Runs in progress count towards ``maximumRuns`` and ``maximumBytes`` all the same.
public struct Retention: Sendable, Hashable {
  /// The seconds without a report after which a run ended, though nobody said so.
  ///
  /// A job that was preempted, or waits for a repair, is back within days; one that was killed never is.
  public static let silence = 7 * 86_400.0

  /// The most seconds since a run ended.
  public var maximumAge: Double?
  /// The most runs of the project.
  public var maximumRuns: UInt64?
  /// The most bytes of the project's runs, as ``RunFootprint/bytes`` counts them.
  public var maximumBytes: UInt64?

  /// Makes a retention.
  public init(
    maximumAge: Double? = nil,
    maximumRuns: UInt64? = nil,
    maximumBytes: UInt64? = nil
  ) {
    self.maximumAge = maximumAge
    self.maximumRuns = maximumRuns
    self.maximumBytes = maximumBytes
  }

  /// Whether nothing is ever pruned.
  public var keepsEverything: Bool {
    maximumAge == nil && maximumRuns == nil && maximumBytes == nil
  }

  /// The limit that a run is pruned for.
  public enum Limit: Sendable, Hashable, CaseIterable {
    /// It ended too long ago.
    case age
    /// The project has too many runs.
    case runs
    /// The project takes too much space.
    case bytes
  }

  /// A run that is beyond a limit.
  public struct Excess: Sendable, Equatable {
    /// The run.
    public var footprint: RunFootprint
    /// When it ended.
    public var endedAt: WallTime
    /// The limit.
    public var limit: Limit
  }

  /// The runs of one project that are beyond a limit, the one that ended first before the others.
  ///
  /// - Parameters:
  ///   - project: All runs of the project, in any order.
  ///   - now: The time.
  /// - Returns: The runs to delete so that the limits hold; if runs in progress alone are beyond a limit,
  ///   all that ended.
  public func excess(of project: [RunFootprint], at now: WallTime) -> [Excess] {
    var runs = UInt64(project.count)
    var bytes = project.reduce(UInt64(0)) { $0 + $1.bytes }
    let ended =
      project.compactMap { run in Self.end(of: run, at: now).map { (run, $0) } }
      .sorted { ($0.1, $0.0.run) < ($1.1, $1.0.run) }
    var excess: [Excess] = []
    for (run, endedAt) in ended {
      let limit: Limit
      if let maximumAge, now.seconds(since: endedAt) > maximumAge {
        limit = .age
      } else if let maximumRuns, runs > maximumRuns {
        limit = .runs
      } else if let maximumBytes, bytes > maximumBytes {
        limit = .bytes
      } else {
        // Those that ended later are younger, and no more or larger.
        break
      }
      excess.append(Excess(footprint: run, endedAt: endedAt, limit: limit))
      runs -= 1
      bytes -= run.bytes
    }
    return excess
  }

  private static func end(of run: RunFootprint, at now: WallTime) -> WallTime? {
    if let end = run.endedAt { return end }
    return now.seconds(since: run.lastHeardAt) > silence ? run.lastHeardAt : nil
  }
}
