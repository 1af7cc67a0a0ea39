/// The data of an experiment, as it declares them; they are made, not loaded.
///
/// Both follow the scikit-learn function of the same name in distribution. The random generator is
/// another one, so a seed does not give scikit-learn's samples.
public enum DataPlan: Hashable, Sendable {
  /// Two interleaved half circles, 2 features, targets 0 and 1:
  /// ``Dataset/makeMoons(count:noise:seed:)``.
  case moons(count: Int, noise: Double, seed: UInt64)
  /// A noisy linear map: ``Dataset/makeRegression(count:features:informative:noise:seed:)``.
  case regression(count: Int, features: Int, informative: Int, noise: Double, seed: UInt64)

  /// The number of samples.
  public var count: Int {
    switch self {
    case .moons(let count, _, _), .regression(let count, _, _, _, _): count
    }
  }

  /// The text for people and collectors: the function and its arguments.
  public var name: String {
    switch self {
    case .moons(let count, let noise, let seed):
      "make_moons(count: \(count), noise: \(noise), seed: \(seed))"
    case .regression(let count, let features, let informative, let noise, let seed):
      "make_regression(count: \(count), features: \(features), informative: \(informative), "
        + "noise: \(noise), seed: \(seed))"
    }
  }

  /// Makes the samples.
  public func makeDataset() -> Dataset {
    switch self {
    case .moons(let count, let noise, let seed):
      .makeMoons(count: count, noise: noise, seed: seed)
    case .regression(let count, let features, let informative, let noise, let seed):
      .makeRegression(
        count: count,
        features: features,
        informative: informative,
        noise: noise,
        seed: seed
      )
    }
  }
}
