/// What was looked at in a store, and how much of it is sound.
public struct StoreVerification: Sendable, Equatable {
  /// How many of something there are, and of how many everything can be read back.
  public struct Count: Sendable, Equatable {
    /// All.
    public var all: UInt64 = 0
    /// The sound ones.
    public var sound: UInt64 = 0

    /// Makes a count.
    public init(all: UInt64 = 0, sound: UInt64 = 0) {
      self.all = all
      self.sound = sound
    }

    mutating func add(_ count: UInt64 = 1, isSound: Bool) {
      all += count
      if isSound { sound += count }
    }
  }

  /// Runs; one is sound if all that belongs to it is.
  public var runs = Count()
  /// Segments; one is sound if every chunk of it is.
  public var segments = Count()
  /// Reports that a reader sees: rows of the log, and rows of segments.
  public var reports = Count()
  /// Alerts.
  public var alerts = Count()
  /// How many damages were found.
  public var damages = 0

  /// Makes an empty verification.
  public init() {}

  /// Whether nothing is damaged.
  public var isSound: Bool { damages == 0 }
}
