// Residual convolutions on images of stripes: B1 and C1.
extension Experiment {
  /// Batch normalization with a large batch.
  static let largeBatchImages = Experiment(
    identifier: "B1",
    name: "large-batch-images",
    title: "Residual convolutions with batch normalization, batch of 64",
    source: Source.strategies,
    sourceClaim: "A ResNet-152 with a batch of 256 has gradient norms around 2.0 ± 0.5.",
    finding: "Norms between 0.2 and 0.6 a layer at first, and the loss falls to 0.001.",
    mustAlert: [],
    mustNotAlert: [.any(.warning)],
    data: .gratings(count: 512, size: 12, classes: 4, noise: 0.5, seed: 1234),
    layers: convolutions(.batch),
    loss: .crossEntropy,
    updateRule: .sgd(learningRate: 0.05, momentum: 0.9),
    batchSize: 64,
    epochs: 15,
    seed: 1234
  )

  static let smallBatchImages = largeBatchImages.varied(
    "B1-small",
    "small-batch-images",
    "Residual convolutions with batch normalization, batch of 4",
    claim: "A batch of 8 blows the variance of the gradient up to 8.0.",
    finding: "Norms vary, not enough to be told in 256 steps; the network learns.",
    isFix: false,
    mustNot: [ExpectedAlert("exploding_gradient", .info)]
  ) {
    $0.batchSize = 4; $0.epochs = 2; $0.updateRule = .sgd(learningRate: 0.01, momentum: 0.9)
  }

  static let groupNormImages = smallBatchImages.varied(
    "B1-gn",
    "group-norm-images",
    "Residual convolutions with group normalization, batch of 4",
    claim: "Group normalization restores stable norms.",
    finding: "It learns faster than with batch normalization."
  ) { $0.layers = convolutions(.group(4)) }

  static let accumulatedImages = smallBatchImages.varied(
    "B1-acc",
    "accumulated-images",
    "Residual convolutions with batch normalization, 16 batches of 4 accumulated",
    claim: "Accumulate to an effective batch of at least 64.",
    finding: "Norms are as steady as with a batch of 64."
  ) {
    $0.accumulation = 16; $0.epochs = 16
  }

  static let clippedImages = largeBatchImages.varied(
    "C1",
    "growing-clip-images",
    "Residual convolutions, clipped at a norm that doubles every 15 steps from 0.02",
    claim: "A schedule from 1.0 that doubles prevents early collapses and keeps the speed later.",
    finding: "Every early step is clipped, and told so; that resolves as the limit rises.",
    isFix: false,
    must: [ExpectedAlert("clipping_every_step", .warning)]
  ) {
    $0.epochs = 30
    $0.clipping = .growingNorm(first: 0.02, doublingEvery: 15, largest: 8)
  }

  static let badlyInitializedClippedImages = largeBatchImages.varied(
    "C2",
    "clipped-bad-start",
    "Convolutions without normalization, weights ten times too large, clipped at 1",
    source: Source.fixes,
    claim: "If clipping fires on almost every step, the initialization still needs attention.",
    finding: "Every step is clipped, to a hundredth of the gradient.",
    isFix: false,
    must: [
      ExpectedAlert("clipping_every_step", .warning),
      ExpectedAlert("poor_initialization", .warning),
    ]
  ) {
    $0.layers = [
      .convolution2D(8, size: 3, .relu, .normal(2)),
      .convolution2D(8, size: 3, stride: 2, .relu, .normal(2)),
      .meanOverPositions, .dense(4, .linear, .normal(2)),
    ]
    $0.updateRule = .sgd(learningRate: 0.01)
    $0.clipping = .norm(1)
  }

  static let sequenceConvolutions = largeBatchImages.varied(
    "B2",
    "sequence-convolutions",
    "Convolutions along a sequence, LeakyReLU, dropout",
    source: Source.ours,
    claim: "(A healthy network of the layers that no other experiment has.)",
    finding: "Nothing is raised.",
    isFix: false
  ) {
    $0.data = .recall(count: 512, length: 32, classes: 4, noise: 0.1, seed: 1234)
    $0.layers = [
      .convolution1D(8, size: 5, stride: 2, .leakyReLU, .heNormal),
      .convolution1D(16, size: 3, stride: 2, .parametricReLU, .heNormal),
      .flatten, .dropout(0.1), .dense(4),
    ]
    $0.updateRule = .adam(learningRate: 0.002, weightDecay: 0.01)
    $0.batchSize = 32
  }

  private static func convolutions(_ normalization: Normalization) -> [LayerPlan] {
    func block(_ filters: Int, _ stride: Int) -> LayerPlan {
      .residual(
        [
          .convolution2D(
            filters,
            size: 3,
            stride: stride,
            .relu,
            .heNormal,
            normalization: normalization
          ),
          .convolution2D(filters, size: 3, .linear, .heNormal, normalization: normalization),
        ],
        .relu
      )
    }
    return [
      .convolution2D(8, size: 3, .relu, .heNormal, normalization: normalization),
      block(8, 1), block(8, 1), block(16, 2), block(16, 1), .meanOverPositions, .dense(4),
    ]
  }
}
