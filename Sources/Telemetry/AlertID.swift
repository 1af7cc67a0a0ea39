/// The identifier of one episode.
///
/// It derives from run, producer, rule, scope and the step at which the condition was first seen, so a
/// replay gives the same alert the same identifier, and nothing is raised twice.
public struct AlertID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// 16 hexadecimal digits.
  public let rawValue: String

  /// Takes an identifier from the store or from a client.
  public init(_ rawValue: String) { self.rawValue = rawValue }

  /// Derives the identifier of an episode: FNV-1a, 64 bits, over the parts with a separator.
  ///
  /// It has to be stable and short, not secret: a run has at most thousands of episodes.
  public init(
    run: RunID,
    producer: ProducerID,
    rule: RuleID,
    scope: AlertScope,
    firstStep: UInt64
  ) {
    let place =
      switch scope {
      case .run: "run"
      case .layers(let range): "layers \(range.lowerBound) \(range.upperBound)"
      case .tensor(let index): "tensor \(index)"
      }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for part in [run.rawValue, producer.rawValue, rule.rawValue, place, String(firstStep)] {
      for byte in Array(part.utf8) + [0] {
        hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
      }
    }
    let digits = String(hash, radix: 16)
    rawValue = String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The raw value.
  public var description: String { rawValue }

  /// Orders by the raw value, for stable listings.
  public static func < (lhs: AlertID, rhs: AlertID) -> Bool { lhs.rawValue < rhs.rawValue }
}
