/// Samples and what should come out for them.
public struct Dataset: Hashable, Sendable {
  /// The samples, `[count] +` ``sampleShape``.
  public let inputs: NDArray<Float>
  /// The targets, `[count, ...]`: numbers, or classes as whole numbers.
  public let targets: NDArray<Float>

  /// The number of samples.
  public var count: Int { inputs.shape[0] }
  /// The shape of one sample, such as `[2]`, `[time, features]` or `[height, width, channels]`.
  public var sampleShape: [Int] { Array(inputs.shape.dropFirst()) }

  /// Takes samples and targets in the order in which they are.
  ///
  /// - Parameters:
  ///   - inputs: `[count] +` the shape of one sample; tokens are whole numbers from 0.
  ///   - targets: `[count] +` the shape of one sample's targets; classes are whole numbers from 0.
  /// - Throws: ``TrainingError`` if there is no sample, or not a target for each.
  public init(inputs: NDArray<Float>, targets: NDArray<Float>) throws(TrainingError) {
    guard let count = inputs.shape.first, count > 0, inputs.shape.count > 1 else {
      throw .shape("inputs", expected: "[count, ...] with at least 1 sample", found: inputs.shape)
    }
    guard targets.shape.first == count else {
      throw .shape("targets", expected: "[\(count), ...]", found: targets.shape)
    }
    (self.inputs, self.targets) = (inputs, targets)
  }

  /// Takes one row of numbers a sample and its targets, in an order drawn from `generator`.
  ///
  /// - Parameters:
  ///   - rows: Every sample's numbers, as many as `sampleShape` multiplies to.
  ///   - sampleShape: The shape of one sample.
  ///   - targets: Every sample's targets, all of the same number.
  ///   - targetShape: The shape of one sample's targets.
  ///   - generator: Draws the order.
  init(
    rows: [[Double]],
    sampleShape: [Int],
    targets: [[Double]],
    targetShape: [Int],
    shuffledBy generator: inout SeededGenerator
  ) {
    let order = generator.nextPermutation(count: rows.count)
    inputs = NDArray(
      shape: [rows.count] + sampleShape,
      elements: order.flatMap { rows[$0].map { Float($0) } }
    )
    self.targets = NDArray(
      shape: [rows.count] + targetShape,
      elements: order.flatMap { targets[$0].map { Float($0) } }
    )
  }

  /// Takes rows of features and one target each, in an order drawn from `generator`.
  init(rows: [[Double]], targets: [Double], shuffledBy generator: inout SeededGenerator) {
    self.init(
      rows: rows,
      sampleShape: [rows.first?.count ?? 0],
      targets: targets.map { [$0] },
      targetShape: [1],
      shuffledBy: &generator
    )
  }
}
