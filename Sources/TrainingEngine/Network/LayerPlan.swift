/// A layer as an experiment declares it; the number of inputs follows from the layer before.
public enum LayerPlan: Hashable, Sendable {
  /// Every unit sees every input; biases start at 0.
  case dense(Int, Activation, Initializer)
}
