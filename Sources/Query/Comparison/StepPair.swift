/// Where a step that both runs have is among some steps of each.
struct StepPair: Sendable {
  /// Its place among run a's.
  let a: Int
  /// Its place among run b's.
  let b: Int

  /// The steps that both have, in order; both ascend.
  static func common(_ a: [UInt64], _ b: [UInt64]) -> [StepPair] {
    var pairs: [StepPair] = []
    var (placeA, placeB) = (0, 0)
    while placeA < a.count, placeB < b.count {
      if a[placeA] == b[placeB] { pairs.append(StepPair(a: placeA, b: placeB)) }
      let isA = a[placeA] <= b[placeB]
      let isB = b[placeB] <= a[placeA]
      placeA += isA ? 1 : 0
      placeB += isB ? 1 : 0
    }
    return pairs
  }
}
