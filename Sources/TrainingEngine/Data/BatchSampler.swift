/// Deals a data set out in batches: every sample once an epoch, in a new random order each time.
struct BatchSampler {
  let dataset: Dataset
  let batchSize: Int
  private var generator: SeededGenerator
  private var order: [Int] = []
  private var position = 0
  /// The number of epochs begun.
  private(set) var epochsBegun = 0

  init(_ dataset: Dataset, batchSize: Int, seed: UInt64) {
    self.dataset = dataset
    self.batchSize = batchSize
    generator = SeededGenerator(seed: seed)
  }

  /// Returns the next batch, inputs and targets of n samples.
  ///
  /// `n` is the batch size, or what is left for the last batch of an epoch.
  mutating func next() -> (inputs: NDArray<Float>, targets: NDArray<Float>) {
    if position == order.count {
      order = generator.nextPermutation(count: dataset.count)
      position = 0
      epochsBegun += 1
    }
    let end = min(position + batchSize, order.count)
    let rows = order[position..<end]
    position = end
    return (dataset.inputs.gathering(rows: rows), dataset.targets.gathering(rows: rows))
  }
}
