import Telemetry

/// One layer of two runs while their steps are read.
struct LayerTrack: Sendable {
  let pair: LayerPair
  var detector: PartingDetector

  /// Holds the values of some steps against the band.
  ///
  /// - Parameters:
  ///   - a: Run a's values.
  ///   - b: Run b's values.
  ///   - steps: The steps of run a.
  ///   - places: Where the steps to look at are in each run's values.
  mutating func judge(
    _ a: LayerValues,
    _ b: LayerValues,
    _ steps: [UInt64],
    at places: [StepPair]
  ) {
    for place in places {
      guard detector.parting == nil else { return }
      detector.add(
        step: steps[place.a],
        a: a.values[place.a],
        b: b.values[place.b],
        presenceDiffers: presenceDiffers(a, b, at: place)
      )
    }
  }

  /// The names of what is not the same bit for bit at a step: tensors, or the layer if its tensors don't correspond.
  func differences(_ a: LayerValues, _ b: LayerValues, at place: StepPair) -> [String] {
    guard !pair.subjectNames.isEmpty else {
      let isSame = a.values[place.a]?.bitPattern == b.values[place.b]?.bitPattern
      return isSame ? [] : [pair.name]
    }
    var names: [String] = []
    for (subject, name) in pair.subjectNames.enumerated() {
      let (a, b) = (a.subjects[subject][place.a], b.subjects[subject][place.b])
      if a?.bitPattern != b?.bitPattern { names.append(name) }
    }
    return names
  }

  /// The layer, now that there are no more steps.
  consuming func finish(_ a: LayerValues, _ b: LayerValues) -> LayerComparison {
    detector.finish()
    return LayerComparison(
      name: pair.name,
      a: pair.a,
      b: pair.b,
      parting: detector.parting,
      pointsA: a.finish(),
      pointsB: b.finish()
    )
  }

  /// Whether one run measured a part of the layer that the other did not.
  private func presenceDiffers(
    _ a: LayerValues,
    _ b: LayerValues,
    at place: StepPair
  ) -> Bool {
    // Of a single tensor the values themselves say it.
    pair.subjectNames.count > 1
      && pair.subjectNames.indices.contains { subject in
        (a.subjects[subject][place.a] == nil) != (b.subjects[subject][place.b] == nil)
      }
  }
}
