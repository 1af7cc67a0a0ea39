import Telemetry

/// One layer of two runs while their steps are read.
struct LayerTrack: Sendable {
  let pair: LayerPair
  var detector: PartingDetector
  private let metric: Metric
  private let elementsA: [Double]
  private let elementsB: [Double]
  private var seriesA: [SeriesCursor]
  private var seriesB: [SeriesCursor]
  private var pointsA: Downsampler
  private var pointsB: Downsampler

  // At the step that was read last.

  private var valuesA: [Double?]
  private var valuesB: [Double?]
  /// Run a's value.
  private(set) var a: Double?
  /// Run b's value.
  private(set) var b: Double?
  /// Whether one run measured a part of the layer that the other did not.
  private(set) var presenceDiffers = false
  /// The subjects whose values are not the same bit for bit, by name.
  private(set) var differences: [String] = []

  init(
    _ pair: LayerPair,
    _ a: Model,
    _ b: Model,
    options: ComparisonOptions,
    steps: ClosedRange<UInt64>,
    pageSize: Int
  ) {
    self.pair = pair
    metric = options.metric
    detector = PartingDetector(bound: options.bound, persistence: options.persistence)
    func elements(_ subjects: [UInt32], _ model: Model) -> [Double] {
      options.metric.subject == .layer
        ? subjects.map { _ in 1 } : subjects.map { Double(model.tensors[Int($0)].elementCount) }
    }
    elementsA = elements(pair.subjectsA, a)
    elementsB = elements(pair.subjectsB, b)
    func cursors(_ subjects: [UInt32]) -> [SeriesCursor] {
      subjects.map { SeriesCursor(options.metric, of: $0, pageSize: pageSize) }
    }
    seriesA = cursors(pair.subjectsA)
    seriesB = cursors(pair.subjectsB)
    valuesA = seriesA.map { _ in nil }
    valuesB = seriesB.map { _ in nil }
    pointsA = Downsampler(steps: steps, maximumPoints: options.maximumPoints)
    pointsB = pointsA
  }

  /// Reads the values of a step that both runs have, or only one of them.
  ///
  /// Called for every layer at every step: the readers are borrowed, and nothing is allocated for a layer of
  /// one tensor.
  mutating func read(
    _ step: UInt64,
    last: UInt64,
    a readerA: borrowing RunReader,
    b readerB: borrowing RunReader,
    isInA: Bool,
    isInB: Bool
  ) throws(QueryError) {
    for index in seriesA.indices {
      valuesA[index] = isInA ? try seriesA[index].value(at: step, last: last, from: readerA) : nil
    }
    for index in seriesB.indices {
      valuesB[index] = isInB ? try seriesB[index].value(at: step, last: last, from: readerB) : nil
    }
    a = Self.value(valuesA, elementsA, metric)
    b = Self.value(valuesB, elementsB, metric)
    if let a { pointsA.add(step: step, value: a) }
    if let b { pointsB.add(step: step, value: b) }
    differences.removeAll(keepingCapacity: true)
    presenceDiffers = (a == nil) != (b == nil)
    guard !pair.subjectNames.isEmpty else {
      if a?.bitPattern != b?.bitPattern { differences = [pair.name] }
      return
    }
    for index in valuesA.indices {
      guard valuesA[index]?.bitPattern != valuesB[index]?.bitPattern else { continue }
      differences.append(pair.subjectNames[index])
      if (valuesA[index] == nil) != (valuesB[index] == nil) { presenceDiffers = true }
    }
  }

  /// Holds the values that were read last against the band.
  mutating func judge(_ step: UInt64) {
    detector.add(step: step, a: a, b: b, presenceDiffers: presenceDiffers)
  }

  /// The layer, now that there are no more steps.
  consuming func finish() -> LayerComparison {
    detector.finish()
    return LayerComparison(
      name: pair.name,
      a: pair.a,
      b: pair.b,
      parting: detector.parting,
      pointsA: pointsA.finish(),
      pointsB: pointsB.finish()
    )
  }

  private static func value(_ values: [Double?], _ elements: [Double], _ metric: Metric) -> Double?
  {
    guard values.count > 1 else { return values.first ?? nil }
    let measured = values.compactMap(\.self)
    guard measured.count < values.count else { return metric.ofLayer(measured, elements: elements) }
    guard !measured.isEmpty else { return nil }
    return metric.ofLayer(
      measured,
      elements: zip(values, elements).filter { $0.0 != nil }.map(\.1)
    )
  }
}
