/// The data of an experiment, as it declares them; they are made, not loaded.
///
/// Moons, regression and clusters follow scikit-learn's functions in distribution. The random generator is
/// another one, so a seed does not give scikit-learn's samples.
public enum DataPlan: Hashable, Sendable {
  /// Two interleaved half circles, 2 features, targets 0 and 1:
  /// ``Dataset/makeMoons(count:noise:seed:)``.
  case moons(count: Int, noise: Double, seed: UInt64)
  /// A noisy linear map: ``Dataset/makeRegression(count:features:informative:noise:seed:)``; with `standardized`,
  /// targets are scaled to mean 0 and variance 1.
  case regression(
    count: Int,
    features: Int,
    informative: Int,
    noise: Double,
    seed: UInt64,
    standardized: Bool = false
  )
  /// Normal clouds, one a class: ``Dataset/makeClusters(count:features:classes:deviation:seed:)``.
  case clusters(count: Int, features: Int, classes: Int, deviation: Double, seed: UInt64)
  /// Images of stripes: ``Dataset/makeGratings(count:size:classes:noise:seed:)``.
  case gratings(count: Int, size: Int, classes: Int, noise: Double, seed: UInt64)
  /// Sequences whose first entry counts: ``Dataset/makeRecall(count:length:classes:noise:seed:)``.
  case recall(count: Int, length: Int, classes: Int, noise: Double, seed: UInt64)
  /// Sequences of tokens: ``Dataset/makeTokens(count:length:vocabulary:surprise:seed:)``.
  case tokens(count: Int, length: Int, vocabulary: Int, surprise: Double, seed: UInt64)

  /// Samples that were not made here, under a name for people and collectors.
  case given(Dataset, name: String)

  /// The number of samples.
  public var count: Int {
    switch self {
    case .given(let dataset, _): dataset.count
    case .moons(let count, _, _), .regression(let count, _, _, _, _, _),
      .clusters(let count, _, _, _, _), .gratings(let count, _, _, _, _),
      .recall(let count, _, _, _, _), .tokens(let count, _, _, _, _):
      count
    }
  }

  /// The text for people and collectors: the function and its arguments.
  public var name: String {
    switch self {
    case .given(_, let name): name
    case .moons(let count, let noise, let seed):
      "make_moons(count: \(count), noise: \(noise), seed: \(seed))"
    case .regression(
      let count,
      let features,
      let informative,
      let noise,
      let seed,
      let standardized
    ):
      "make_regression(count: \(count), features: \(features), informative: \(informative), "
        + "noise: \(noise), seed: \(seed))\(standardized ? ", standardized" : "")"
    case .clusters(let count, let features, let classes, let deviation, let seed):
      "make_blobs(count: \(count), features: \(features), classes: \(classes), "
        + "deviation: \(deviation), seed: \(seed))"
    case .gratings(let count, let size, let classes, let noise, let seed):
      "gratings(count: \(count), size: \(size), classes: \(classes), noise: \(noise), seed: \(seed))"
    case .recall(let count, let length, let classes, let noise, let seed):
      "recall(count: \(count), length: \(length), classes: \(classes), noise: \(noise), seed: \(seed))"
    case .tokens(let count, let length, let vocabulary, let surprise, let seed):
      "tokens(count: \(count), length: \(length), vocabulary: \(vocabulary), "
        + "surprise: \(surprise), seed: \(seed))"
    }
  }

  /// Makes the samples.
  public func makeDataset() -> Dataset {
    switch self {
    case .given(let dataset, _): dataset
    case .moons(let count, let noise, let seed):
      .makeMoons(count: count, noise: noise, seed: seed)
    case .regression(
      let count,
      let features,
      let informative,
      let noise,
      let seed,
      let standardized
    ):
      .makeRegression(
        count: count,
        features: features,
        informative: informative,
        noise: noise,
        seed: seed,
        standardized: standardized
      )
    case .clusters(let count, let features, let classes, let deviation, let seed):
      .makeClusters(
        count: count,
        features: features,
        classes: classes,
        deviation: deviation,
        seed: seed
      )
    case .gratings(let count, let size, let classes, let noise, let seed):
      .makeGratings(count: count, size: size, classes: classes, noise: noise, seed: seed)
    case .recall(let count, let length, let classes, let noise, let seed):
      .makeRecall(count: count, length: length, classes: classes, noise: noise, seed: seed)
    case .tokens(let count, let length, let vocabulary, let surprise, let seed):
      .makeTokens(
        count: count,
        length: length,
        vocabulary: vocabulary,
        surprise: surprise,
        seed: seed
      )
    }
  }
}
