import RunStore
import Telemetry

/// One of two runs that are compared, while its steps are read, some at a time.
struct RunSide: Sendable {
  let reader: RunReader
  /// What its steps say as a whole.
  private(set) var scalars: [StepScalars] = []
  /// The numbers of these steps.
  private(set) var steps: [UInt64] = []
  /// The values of the compared layers at these steps.
  private(set) var layers: [LayerValues]
  /// Which of these steps have a value of any of these layers.
  private(set) var isMeasured: [Bool] = []

  private let metric: Metric
  private let pageSize: Int
  private let last: UInt64
  /// What was read and is not looked at yet.
  private var page: ArraySlice<StepScalars> = []
  /// Where the next page begins; `nil`: there is none.
  private var next: UInt64?
  /// The tensors or layers to read, ascending.
  private let indices: [UInt32]
  /// Which layers' values each of them is a part of.
  private let places: [UInt32: [(layer: Int, subject: Int)]]

  /// Starts before the first step of a range.
  ///
  /// - Parameters:
  ///   - reader: The run.
  ///   - steps: The steps, both ends included.
  ///   - metric: What is compared.
  ///   - subjects: The tensors of each compared layer, or the layer itself if the metric is of layers.
  ///   - points: What makes a layer's points.
  ///   - pageSize: The most steps that are read at a time.
  init(
    _ reader: RunReader,
    steps: ClosedRange<UInt64>,
    metric: Metric,
    subjects: [[UInt32]],
    points: Downsampler,
    pageSize: Int
  ) {
    self.reader = reader
    self.metric = metric
    self.pageSize = pageSize
    (next, last) = (steps.lowerBound, steps.upperBound)
    let tensors = reader.model.tensors
    layers = subjects.map { subjects in
      LayerValues(
        metric,
        elements: subjects.map {
          metric.subject == .layer ? 1 : Double(tensors[Int($0)].elementCount)
        },
        points: points
      )
    }
    var places: [UInt32: [(layer: Int, subject: Int)]] = [:]
    for (layer, subjects) in subjects.enumerated() {
      for (subject, index) in subjects.enumerated() {
        places[index, default: []].append((layer, subject))
      }
    }
    self.places = places
    indices = places.keys.sorted()
  }

  /// Reads on, if nothing of what was read is left.
  ///
  /// - Returns: The last step up to which all is read; `nil`: there is nothing left.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  mutating func fill() throws(QueryError) -> UInt64? {
    if page.isEmpty, let start = next {
      page = try reader.scalars(steps: start...last, size: pageSize)[...]
      next = page.count < pageSize ? nil : page.last.flatMap { $0.step < last ? $0.step + 1 : nil }
    }
    return page.last.map { next == nil ? .max : $0.step }
  }

  /// Goes on to what ``fill()`` read, up to a step, and reads the values of its layers.
  mutating func advance(through end: UInt64) throws(QueryError) {
    scalars = Array(page.prefix { $0.step <= end })
    page = page.dropFirst(scalars.count)
    steps = scalars.map(\.step)
    for layer in layers.indices { layers[layer].begin(steps.count) }
    if let first = steps.first, let last = steps.last {
      try reader.measurements(metric, of: indices, steps: first...last) { index, slice in
        for (layer, subject) in places[index] ?? [] {
          layers[layer].add(slice, of: subject, at: steps)
        }
      }
    }
    isMeasured = Array(repeating: false, count: steps.count)
    var rest = Array(steps.indices)
    for layer in layers.indices {
      layers[layer].finish(at: steps)
      for place in rest where layers[layer].values[place] != nil { isMeasured[place] = true }
      rest.removeAll { isMeasured[$0] }
    }
  }
}
