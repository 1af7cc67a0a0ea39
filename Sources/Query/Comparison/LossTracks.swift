import Telemetry

/// The losses of two runs while their steps are read, in the order in which they first appear.
struct LossTracks: Sendable {
  /// The most names that are followed.
  private static let maximumCount = 1024

  private var tracks: [LossTrack] = []
  private var places: [String: Int] = [:]

  /// Adds the steps that both runs have read.
  ///
  /// - Parameters:
  ///   - a: Run a.
  ///   - b: Run b.
  ///   - fresh: A detector that has seen nothing.
  mutating func add(_ a: RunSide, _ b: RunSide, _ fresh: PartingDetector) {
    var (placeA, placeB) = (0, 0)
    while placeA < a.steps.count || placeB < b.steps.count {
      let stepA = placeA < a.steps.count ? a.steps[placeA] : .max
      let stepB = placeB < b.steps.count ? b.steps[placeB] : .max
      let step = min(stepA, stepB)
      let lossesA = stepA == step ? a.scalars[placeA].losses : []
      let lossesB = stepB == step ? b.scalars[placeB].losses : []
      for (expected, loss) in lossesA.enumerated() {
        guard let place = place(of: loss.name, expected) else { continue }
        tracks[place].addA(loss.value, at: step)
      }
      for (expected, loss) in lossesB.enumerated() {
        guard let place = place(of: loss.name, expected) else { continue }
        tracks[place].addB(loss.value, at: step)
        tracks[place].judge(step, fresh)
      }
      placeA += stepA == step ? 1 : 0
      placeB += stepB == step ? 1 : 0
    }
  }

  /// The losses, now that there are no more steps.
  consuming func finish() -> [RunComparison.Loss] { tracks.map { $0.finish() } }

  /// Where a loss is, which mostly is where it stands in its report; `nil`: there are too many.
  private mutating func place(of name: String, _ expected: Int) -> Int? {
    if expected < tracks.count, tracks[expected].name == name { return expected }
    if let place = places[name] { return place }
    guard tracks.count < Self.maximumCount else { return nil }
    places[name] = tracks.count
    tracks.append(LossTrack(name: name))
    return tracks.count - 1
  }
}
