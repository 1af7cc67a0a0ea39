import Synchronization
public import Telemetry

/// A clock that stands still until a test moves it.
public final class TestClock: Sendable {
  private let time = Mutex((wall: 1_700_000_000.0, passed: 0.0))

  /// Makes a clock.
  public init() {}

  /// What it shows.
  public var now: WallTime { WallTime(clamping: time.withLock { $0.wall }) }

  /// What has passed since it was made.
  public var uptime: Duration { .seconds(time.withLock { $0.passed }) }

  /// Moves it on; back, if negative.
  public func advance(seconds: Double) {
    time.withLock { time in
      time.wall += seconds
      time.passed += seconds
    }
  }

  /// Sets it wrong, or right again: no time passes.
  public func jump(seconds: Double) { time.withLock { $0.wall += seconds } }
}
