import Synchronization
public import Telemetry

/// A clock that stands still until a test moves it.
public final class TestClock: Sendable {
  private let time = Mutex(1_700_000_000.0)

  /// Makes a clock.
  public init() {}

  /// What it shows.
  public var now: WallTime { WallTime(clamping: time.withLock { $0 }) }

  /// Moves it on.
  public func advance(seconds: Double) { time.withLock { $0 += seconds } }
}
