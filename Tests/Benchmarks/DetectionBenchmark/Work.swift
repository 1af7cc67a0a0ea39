import Telemetry

/// The reports of a healthy run, a few of which are made beforehand and sent again and again.
struct Work {
  let model: Model
  private let templates: [StepReport]

  /// Makes a model of `weights` layers, and its reports.
  init(weights: UInt32, buckets: Int) throws {
    var layers: [Layer] = []
    var tensors: [Tensor] = []
    for index in 0..<weights {
      layers.append(Layer(name: "blocks.\(index / 4).fc\(index % 4)", activation: "ReLU"))
      tensors.append(
        Tensor(
          name: "blocks.\(index / 4).fc\(index % 4).weight",
          layer: index,
          role: .weight,
          shape: [64, 64],
          elementCount: 4096
        )
      )
      tensors.append(
        Tensor(
          name: "blocks.\(index / 4).fc\(index % 4).bias",
          layer: index,
          role: .bias,
          shape: [64],
          elementCount: 64
        )
      )
    }
    let model = try Model(layers: layers, tensors: tensors)
    self.model = model
    var state: UInt64 = 42
    /// A number from 0.75 to 1.25, so that columns are not constant.
    func jitter() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return 0.75 + Float(state >> 40) / Float(1 << 25)
    }
    templates = (0..<16).map { _ in
      var report = StepReport(
        sequence: 1,
        scalars: StepScalars(step: 0, wallTime: WallTime(clamping: 0))
      )
      var gradients = GradientColumns()
      var parameters = ParameterColumns()
      var histograms = ExponentialHistogramColumn()
      for tensor in model.tensors {
        let size = Float(tensor.elementCount).squareRoot()
        gradients.norm.append(0.01 * size * jitter())
        gradients.mean.append(0)
        gradients.meanAbs.append(0.008)
        gradients.std.append(0.01)
        gradients.min.append(-0.05)
        gradients.max.append(0.05)
        gradients.zeroCount.append(0)
        gradients.nanCount.append(0)
        gradients.positiveInfinityCount.append(0)
        gradients.negativeInfinityCount.append(0)
        parameters.norm.append(0.17 * size)
        parameters.updateNorm.append(0.0002 * size * jitter())
        guard buckets > 0 else { continue }
        let share = tensor.elementCount / UInt64(buckets)
        let counts = [UInt64](repeating: share, count: buckets / 2)
        histograms.append(
          ExponentialHistogram(
            scale: 0,
            zeroCount: tensor.elementCount - share * UInt64(2 * (buckets / 2)),
            positive: .init(offset: -34, counts: counts),
            negative: .init(offset: -34, counts: counts)
          )
        )
      }
      report.gradients = gradients
      report.parameters = parameters
      if buckets > 0 { report.histograms = histograms }
      report.activations.zeroFraction = layers.map { _ in 0.5 * jitter() }
      report.activations.saturatedFraction = layers.map { _ in .nan }
      report.activations.deadUnitFraction = layers.map { _ in 0.05 * jitter() }
      return report
    }
  }

  /// The report of a step.
  func report(_ step: UInt64) -> StepReport {
    var report = templates[Int(step % UInt64(templates.count))]
    report.sequence = step + 1
    report.scalars.step = step
    report.scalars.wallTime = WallTime(clamping: Double(step))
    let loss = 0.3 + 2 / (1 + 0.01 * Double(step)) + 0.01 * Double(step % 7)
    report.scalars.losses = [NamedLoss(name: "loss", value: loss)]
    report.scalars.learningRate = 0.001
    return report
  }
}
