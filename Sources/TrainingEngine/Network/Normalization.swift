/// How a layer's sums are brought to mean 0 and variance 1 before its activation.
public enum Normalization: Hashable, Sendable {
  /// Not at all.
  case none
  /// Over the batch and all positions, for each channel.
  case batch
  /// Over all channels, for each sample and position.
  case layer
  /// Over neighbouring channels and all positions, for each sample; so many groups.
  case group(Int)

  /// The name for people and collectors, such as `batch_norm`.
  public var name: String {
    switch self {
    case .none: "none"
    case .batch: "batch_norm"
    case .layer: "layer_norm"
    case .group: "group_norm"
    }
  }
}
