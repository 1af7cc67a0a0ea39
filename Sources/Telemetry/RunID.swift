/// The identifier of one training job's life; a resumed job keeps it.
public struct RunID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The identifier as the client chose it, or as the collector made it up.
  public let rawValue: String

  /// Takes an identifier that a client sent.
  ///
  /// - Parameter rawValue: The identifier; ``Name/check(_:field:)`` says what it may hold.
  /// - Throws: ``TelemetryError`` if it is not a proper name.
  public init(_ rawValue: String) throws(TelemetryError) {
    try Name.check(rawValue, field: "run_id")
    self.rawValue = rawValue
  }

  /// Takes an identifier that was checked before, from the store.
  public init(stored rawValue: String) { self.rawValue = rawValue }

  /// The raw value.
  public var description: String { rawValue }

  /// Compares byte by byte, as a store does: two spellings of one accented letter are two runs.
  public static func == (lhs: RunID, rhs: RunID) -> Bool {
    lhs.rawValue.utf8.elementsEqual(rhs.rawValue.utf8)
  }

  /// Hashes the bytes, to agree with `==`.
  public func hash(into hasher: inout Hasher) {
    var text = rawValue
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }

  /// Orders by the bytes, for stable listings.
  public static func < (lhs: RunID, rhs: RunID) -> Bool {
    lhs.rawValue.utf8.lexicographicallyPrecedes(rhs.rawValue.utf8)
  }
}
