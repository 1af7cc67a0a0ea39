import Telemetry

extension TraceHeader {
  init(_ line: MetaLine, _ model: TraceModel) throws(TelemetryError) {
    var values: [String: String] = [:]
    values["optimizer"] = line.optimizer
    values["loss_fn"] = line.lossFunction
    values["steps"] = line.steps.map { "\($0)" }
    values["accum"] = line.accumulation.map { "\($0)" }
    values["batch_size"] = line.batchSize.map { "\($0)" }
    values["every"] = line.every.map { "\($0)" }
    values["hist_every"] = line.histogramEvery.map { "\($0)" }
    values["all_params"] = line.allParameters.map { "\($0)" }
    values["amp_dtype"] = line.amp?.dtype
    values["frozen_layers"] = line.intent?.frozenLayers?.joined(separator: ", ")
    self.init(
      framework: line.framework ?? "",
      hyperparameters: values,
      model: try Model(layers: model.layers, tensors: model.tensors)
    )
  }
}
