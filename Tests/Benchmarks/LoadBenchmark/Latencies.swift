/// How long things took.
struct Latencies: Sendable {
  private var milliseconds: [Double] = []

  /// How many there are.
  var count: Int { milliseconds.count }

  /// Adds one.
  mutating func add(_ duration: Duration) { milliseconds.append(duration / .milliseconds(1)) }

  /// Adds all of another.
  mutating func add(_ other: Latencies) { milliseconds += other.milliseconds }

  /// The median, the 99th percentile and the longest in milliseconds, as members of a JSON object;
  /// null if there are none.
  var json: String {
    let sorted = milliseconds.sorted()
    func quantile(_ share: Double) -> String {
      sorted.isEmpty ? "null" : "\(sorted[Int(share * Double(sorted.count - 1))])"
    }
    return "\"p50_ms\": \(quantile(0.5)), \"p99_ms\": \(quantile(0.99)), \"max_ms\": \(quantile(1))"
  }
}
