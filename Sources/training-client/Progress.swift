import TerminalOutput

/// How far a training is, shown now and then.
struct Progress {
  private let name: String
  private let total: Int
  private let console: Console
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private var done = 0
  private var nextTime: ContinuousClock.Instant
  private var nextStep: Int

  /// Begins; `total` is the number of steps that there may be.
  init(name: String, total: Int, console: Console) {
    self.name = name
    self.total = total
    self.console = console
    start = clock.now
    nextTime = start
    nextStep = Self.share(of: total)
  }

  /// One step is done.
  ///
  /// - Parameters:
  ///   - loss: The step's loss.
  ///   - dropped: Asked only if something is shown: how many reports were dropped.
  mutating func advance(loss: Double, dropped: () -> UInt64) {
    done += 1
    let now: ContinuousClock.Instant
    if console.redraws {
      now = clock.now
      guard now >= nextTime else { return }
      // Ten times a second is as much as an eye takes.
      nextTime = now + .milliseconds(100)
    } else {
      guard done >= nextStep else { return }
      nextStep += Self.share(of: total)
      now = clock.now
    }
    let elapsed = (now - start) / .seconds(1)
    let rate = elapsed > 0 ? NumberText.short(Double(done) / elapsed, digits: 3) : "?"
    var text = "\(name): step \(done) of \(total), loss \(NumberText.short(loss)), \(rate) steps/s"
    let lost = dropped()
    if lost > 0 { text += ", \(lost) dropped" }
    console.show(text)
  }

  /// A tenth, rounded up.
  private static func share(of total: Int) -> Int { max(1, (total + 9) / 10) }
}
