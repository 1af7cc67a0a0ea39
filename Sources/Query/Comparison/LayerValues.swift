import RunStore
import Telemetry

/// One run's values of a layer, at some steps at a time.
struct LayerValues: Sendable {
  /// The values of each tensor, or of the layer itself if the metric is of layers, at each of the steps; `nil`: not measured.
  private(set) var subjects: [[Double?]]
  /// The layer's values at each of the steps; `nil`: nothing of it was measured.
  private(set) var values: [Double?] = []

  private let metric: Metric
  private let elements: [Double]
  private var points: Downsampler

  /// Starts before the first step.
  ///
  /// - Parameters:
  ///   - metric: The metric.
  ///   - elements: The number of elements of each tensor.
  ///   - points: What makes the layer's points.
  init(_ metric: Metric, elements: [Double], points: Downsampler) {
    self.metric = metric
    self.elements = elements
    self.points = points
    subjects = elements.map { _ in [] }
  }

  /// Begins with the next steps.
  mutating func begin(_ count: Int) {
    // First, so that no tensor shares its values with the layer.
    values = []
    for subject in subjects.indices {
      subjects[subject].removeAll(keepingCapacity: true)
      subjects[subject].reserveCapacity(count)
    }
  }

  /// Adds measurements of a tensor, which come in order; those that are at none of the steps are left out: a run goes on, or back,
  /// while it is read.
  mutating func add(_ slice: SeriesSlice, of subject: Int, at steps: [UInt64]) {
    // Not two of them while one is changed.
    var column = subjects[subject]
    subjects[subject] = []
    for (step, value) in zip(slice.steps, slice.values) {
      while column.count < steps.count, steps[column.count] < step { column.append(nil) }
      if column.count < steps.count, steps[column.count] == step { column.append(value) }
    }
    subjects[subject] = column
  }

  /// Makes the layer's values of those of its tensors.
  mutating func finish(at steps: [UInt64]) {
    for subject in subjects.indices {
      let missing = steps.count - subjects[subject].count
      subjects[subject].append(contentsOf: repeatElement(nil, count: missing))
    }
    values = subjects.count == 1 ? subjects[0] : combined(steps.count)
    for (step, value) in zip(steps, values) {
      if let value { points.add(step: step, value: value) }
    }
  }

  /// The points of all steps; the values are spent.
  consuming func finish() -> SeriesPoints { points.finish() }

  private func combined(_ count: Int) -> [Double?] {
    var measured: [Double] = []
    var sizes: [Double] = []
    return (0..<count).map { place in
      measured.removeAll(keepingCapacity: true)
      sizes.removeAll(keepingCapacity: true)
      for (subject, size) in zip(subjects, elements) {
        guard let value = subject[place] else { continue }
        measured.append(value)
        sizes.append(size)
      }
      return measured.isEmpty ? nil : metric.ofLayer(measured, elements: sizes)
    }
  }
}
