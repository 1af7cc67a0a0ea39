/// When what of the write-ahead log is moved into the file, as a value; ``Checkpointer`` does it.
package struct CheckpointPlan: Sendable {
  /// What to do after a commit.
  package enum Step: Sendable {
    /// Nothing.
    case none
    /// Move a part beside the commits, and then call ``ended(moved:)``.
    case movePart
    /// Have this commit move what is left, after the part that is being moved, and then call ``movedRest(_:)``.
    case moveRest
  }

  /// The pages of a log that is long.
  private let longLog: Int32
  /// The pages that are worth moving.
  private let part: Int32
  /// Whether a part is moved right now.
  private var isMoving = false
  /// The pages of the log that are in the file, as far as is known.
  private var movedPages: Int32 = 0
  /// The pages that the log had when a part was moved last; a reader may have kept some from being moved.
  private var triedPages: Int32 = 0
  /// The pages of the log at the last commit.
  private var pages: Int32 = 0

  /// Starts with an empty log.
  ///
  /// - Parameter longLog: The pages of a log that is long.
  package init(longLog: Int) {
    self.longLog = Int32(clamping: Swift.min(Swift.max(longLog, 1), 1 << 24))
    part = Swift.max(self.longLog / 8, 1)
  }

  /// Takes note of a commit after which the log has some pages.
  package mutating func committed(_ pages: Int32) -> Step {
    // The log began anew.
    if pages < self.pages { (movedPages, triedPages) = (0, 0) }
    self.pages = pages
    let left = pages - movedPages
    // As much as a commit may ever have to move: more is left by a reader, and moved beside the commits when that has ended.
    if pages >= 8 * longLog, left < 9 * longLog { return .moveRest }
    guard !isMoving else {
      // Without end, were the disk slower than the commits.
      return pages - triedPages < Swift.max(8 * longLog, triedPages - movedPages)
        ? .none : .moveRest
    }
    if pages >= longLog, left < part { return .moveRest }
    guard pages - triedPages >= part else { return .none }
    triedPages = pages
    isMoving = true
    return .movePart
  }

  /// Takes note that a part was moved.
  ///
  /// - Parameter moved: How many pages of the log are in the file now; `nil`: it failed.
  package mutating func ended(moved: Int?) {
    isMoving = false
    movedRest(moved)
  }

  /// Takes note of how many pages of the log are in the file now; `nil`: nobody knows.
  package mutating func movedRest(_ moved: Int?) {
    guard let moved, moved <= pages else { return }
    movedPages = Int32(clamping: moved)
  }
}
