import TelemetryTesting

/// Feeds a target with inputs that a seed repeats.
public struct Fuzzer {
  /// What was fed.
  public struct Tally: Sendable, Equatable {
    /// The number of inputs.
    public var inputs: UInt64 = 0
    /// How many were accepted, which says whether mutations get past the first checks.
    public var accepted: UInt64 = 0
  }

  /// An input that was accepted stays in the pool now and then, if it is no larger.
  private static let largestKept = 64 << 10

  private let target: FuzzTarget
  private var random: SeededGenerator
  private var pool: [[UInt8]]
  /// What was fed so far.
  public private(set) var tally = Tally()

  /// Makes a fuzzer.
  ///
  /// - Throws: If the target can't make its seeds.
  public init(_ target: FuzzTarget, seed: UInt64) throws {
    self.target = target
    random = SeededGenerator(seed: seed)
    pool = try target.seeds(&random)
  }

  /// The next input; the seeds first, as they are.
  public mutating func next() -> [UInt8] {
    if tally.inputs < pool.count { return pool[Int(tally.inputs)] }
    var input = pool[Int.random(in: pool.indices, using: &random)]
    target.mutate(&input, pool, &random)
    return input
  }

  /// Feeds an input that ``next()`` made.
  ///
  /// - Throws: ``FuzzFinding``.
  public mutating func feed(_ input: [UInt8]) throws(FuzzFinding) {
    let isSeed = tally.inputs < pool.count
    tally.inputs += 1
    guard try target.check(input) else {
      if isSeed { throw FuzzFinding("seed \(tally.inputs) of \(target.name) is refused") }
      return
    }
    tally.accepted += 1
    guard !isSeed, input.count <= Self.largestKept, Int.random(in: 0..<32, using: &random) == 0
    else { return }
    // Half of the pool stays as it was made.
    let place = Int.random(in: pool.count / 2..<pool.count, using: &random)
    pool[place] = input
  }
}
