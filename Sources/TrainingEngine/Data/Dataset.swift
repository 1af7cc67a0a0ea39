/// Samples and what should come out for them.
public struct Dataset: Equatable, Sendable {
  /// The samples, `[count, features]`.
  public let inputs: NDArray<Float>
  /// The targets, `[count, 1]`.
  public let targets: NDArray<Float>

  /// The number of samples.
  public var count: Int { inputs.shape[0] }
  /// The number of features of one sample.
  public var featureCount: Int { inputs.shape[1] }

  /// Takes rows of features and one target each, in an order drawn from `generator`.
  init(rows: [[Double]], targets: [Double], shuffledBy generator: inout SeededGenerator) {
    let order = generator.nextPermutation(count: rows.count)
    let elements = order.flatMap { rows[$0].map { Float($0) } }
    inputs = NDArray(shape: [rows.count, rows.first?.count ?? 0], elements: elements)
    self.targets = NDArray(shape: [rows.count, 1], elements: order.map { Float(targets[$0]) })
  }
}
