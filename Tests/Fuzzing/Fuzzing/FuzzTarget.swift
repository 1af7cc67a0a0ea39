import TelemetryTesting

/// Something that takes bytes from outside, and what must hold of it whatever the bytes are.
public struct FuzzTarget: Sendable {
  /// The name, as in `scripts/fuzz` and of its folder in `Tests/Fuzzing/Regressions`.
  public let name: String
  /// Makes valid inputs, from which others are made.
  let seeds: @Sendable (inout SeededGenerator) throws -> [[UInt8]]
  /// Changes an input; the others of the pool may be drawn on.
  let mutate: @Sendable (inout [UInt8], _ pool: [[UInt8]], inout SeededGenerator) -> Void
  /// Feeds an input; returns whether it was accepted, and throws what must not be the case.
  let check: @Sendable ([UInt8]) throws(FuzzFinding) -> Bool

  /// All targets.
  public static let all: [FuzzTarget] =
    [.ingest, .decoding, .registration] + blobs + rollups + [
      .detectorSnapshot, .sealing, .ruleFile, .trace, .spool,
    ]

  /// The target of a name; `nil` if there is none.
  public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }

  /// Feeds one input, such as one that failed before.
  ///
  /// - Returns: Whether it was accepted; either is right.
  /// - Throws: ``FuzzFinding``; a trap ends the process.
  @discardableResult
  public func feed(_ input: [UInt8]) throws(FuzzFinding) -> Bool { try check(input) }
}

/// What a target did that it must not do, short of ending the process.
public struct FuzzFinding: Error, CustomStringConvertible {
  /// Expected and found.
  public let description: String

  init(_ description: String) { self.description = description }
}
