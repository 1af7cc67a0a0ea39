public import TrainingEngine

extension Experiment {
  /// What a collector keeps beside the run, as text: data, loss, optimizer, schedule, batch and seed.
  public var hyperparameters: [String: String] {
    var values = [
      "experiment": identifier,
      "data": data.name,
      "loss": loss.rawValue,
      "optimizer": updateRule.name,
      "learning_rate": "\(updateRule.learningRate)",
      "schedule": schedule.name,
      "batch_size": "\(batchSize)",
      "accumulation": "\(accumulation)",
      "epochs": "\(epochs)",
      "seed": "\(seed)",
      "source": source,
    ]
    values["clipping"] = clipping?.name
    values["loss_scale"] = lossScaling.map { "\($0.initialScale)" }
    if penalties != .none {
      values["penalties"] = "weights \(penalties.weights), activations \(penalties.activations)"
    }
    switch updateRule {
    case .sgd(_, let momentum, let weightDecay):
      values["momentum"] = "\(momentum)"
      values["weight_decay"] = "\(weightDecay)"
    case .rmsprop(_, let rho, let epsilon):
      values["rho"] = "\(rho)"
      values["epsilon"] = "\(epsilon)"
    case .adam(_, let beta1, let beta2, let epsilon, let weightDecay):
      values["beta1"] = "\(beta1)"
      values["beta2"] = "\(beta2)"
      values["epsilon"] = "\(epsilon)"
      values["weight_decay"] = "\(weightDecay)"
    }
    return values
  }
}
