import TrainingEngine

/// A network and a batch to train it on, again and again.
struct Workload {
  let name: String
  let batchSize: Int
  /// The shape of one sample.
  let sampleShape: [Int]
  /// Inputs below this are tokens; `nil`: inputs are normal.
  var vocabulary: Int?
  /// The shape of one sample's targets, each a class.
  var targetShape: [Int] = []
  let classes: Int
  let layers: [LayerPlan]
  let loss = LossFunction.crossEntropy
  let rule: UpdateRule
  /// The updates that are measured, after those of ``warmUp``.
  let updates: Int
  let warmUp: Int

  /// Makes inputs `[batch] + sampleShape` and targets `[batch] + targetShape`, always the same.
  func makeBatch() -> (inputs: NDArray<Float>, targets: NDArray<Float>) {
    var generator = SeededGenerator(seed: 2)
    func draw(_ shape: [Int], below bound: Int?) -> NDArray<Float> {
      let elements = (0..<shape.reduce(1, *)).map { _ in
        bound.map { generator.nextUniform(to: Double($0)).rounded(.down) } ?? generator.nextNormal()
      }
      return NDArray(shape: shape, elements: elements.map { Float($0) })
    }
    let inputs = draw([batchSize] + sampleShape, below: vocabulary)
    return (inputs, draw([batchSize] + targetShape, below: classes))
  }

  static let all = [mlp, transformer, lstm]

  /// Two hidden layers of 256 ReLU units on 784 numbers, such as MNIST's.
  static let mlp = Workload(
    name: "mlp",
    batchSize: 64,
    sampleShape: [784],
    classes: 10,
    layers: [.dense(256, .relu, .heUniform), .dense(256, .relu, .heUniform), .dense(10)],
    rule: .sgd(learningRate: 0.01),
    updates: 300,
    warmUp: 20
  )

  /// Twelve pre-norm blocks of width 128, with 4 heads, on 64 tokens of 256.
  static let transformer = Workload(
    name: "transformer",
    batchSize: 8,
    sampleShape: [64],
    vocabulary: 256,
    targetShape: [64],
    classes: 256,
    layers: [.embedding(count: 256, width: 128), .positions()]
      + Array(repeating: block, count: 12) + [.normalization(.layer), .dense(256)],
    rule: .adam(learningRate: 0.0003),
    updates: 8,
    warmUp: 2
  )

  private static let block = LayerPlan.block([
    .residual([.normalization(.layer), .attention(heads: 4)]),
    .residual([.normalization(.layer), .dense(512, .gelu), .dense(128)]),
  ])

  /// A long short-term memory of 128 units over 100 time steps, classified by its last state.
  static let lstm = Workload(
    name: "lstm",
    batchSize: 32,
    sampleShape: [100, 32],
    classes: 10,
    layers: [.recurrent(.longShortTermMemory, 128), .dense(10)],
    rule: .adam(),
    updates: 15,
    warmUp: 3
  )
}
