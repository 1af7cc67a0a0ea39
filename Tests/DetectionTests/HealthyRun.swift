import Detection
import Telemetry

/// A run that learns, with every column that a report can have: what traps and faults are put into.
struct HealthyRun {
  /// A small pre-norm transformer whose head is tied to its embedding.
  static let transformer = transformerModel()
  /// Six dense ReLU layers.
  static let plain = plainModel()

  let model: Model
  /// The size of each tensor's parameters at the start; biases begin at 0.
  private let sizes: [Float]
  private var noise: Noise

  init(_ model: Model, seed: UInt64 = 1) {
    self.model = model
    noise = Noise(seed: seed)
    sizes = model.tensors.map { tensor in
      let fanIn = tensor.shape.count > 1 ? Float(tensor.shape[1]) : 1
      let elements = Float(tensor.elementCount)
      return switch tensor.role {
      case .bias: 0
      case .norm: elements.squareRoot()
      case .embedding: 0.1 * elements.squareRoot()
      default: (2 / fanIn * elements).squareRoot()
      }
    }
  }

  /// A number from 1/spread to spread, different at each call.
  mutating func jitter(_ spread: Double) -> Float { Float(noise.factor(spread)) }

  /// A number from 1 up that is past x once in x * x calls: a Pareto tail.
  mutating func tail() -> Float {
    Float(1 / max(1e-4, noise.fraction()).squareRoot())
  }

  /// A healthy report; the step counts from the start of training.
  mutating func report(_ step: Int) -> StepReport {
    let time = Double(step)
    let loss = (0.3 + 2 / (1 + 0.02 * time)) * (0.9 + 0.2 * noise.fraction())
    var report = StepReport(step: UInt64(step), loss: loss)
    report.scalars.learningRate = 0.001
    report.scalars.batchSize = 32
    report.scalars.phase = .main
    let size = jitter(1.5)
    for (index, tensor) in model.tensors.enumerated() {
      let norm = size * jitter(1.2) * (tensor.role == .bias ? 0.03 : 0.1)
      append(norm, of: tensor, to: &report)
      let start = sizes[index]
      report.parameters.norm.append(start > 0 ? start : 0.001 * Float(step))
      report.parameters.updateNorm.append(start > 0 ? 0.001 * start * jitter(1.2) : 0.001)
    }
    report.histograms = histograms(report.gradients)
    for layer in model.layers {
      let isRectified = layer.activation == "relu"
      report.activations.mean.append(0.1)
      report.activations.std.append(1)
      report.activations.zeroFraction.append(isRectified ? 0.5 : 0)
      report.activations.saturatedFraction.append(0.05)
      report.activations.deadUnitFraction.append(isRectified ? 0.1 : 0)
    }
    report.setTrueGlobalNorm()
    return report
  }

  private func append(_ norm: Float, of tensor: Tensor, to report: inout StepReport) {
    let rms = norm / Float(tensor.elementCount).squareRoot()
    report.gradients.norm.append(norm)
    report.gradients.mean.append(0.01 * rms)
    report.gradients.meanAbs.append(0.8 * rms)
    report.gradients.std.append(rms)
    report.gradients.min.append(-4 * rms)
    report.gradients.max.append(4 * rms)
    report.gradients.zeroCount.append(tensor.role == .embedding ? tensor.elementCount * 9 / 10 : 0)
    report.gradients.nanCount.append(0)
    report.gradients.positiveInfinityCount.append(0)
    report.gradients.negativeInfinityCount.append(0)
  }

  /// Multiplies the gradients of a report: norms, extremes and histograms.
  func scale(_ report: inout StepReport, by factor: (Int) -> Float) {
    for index in report.gradients.max.indices {
      report.gradients.max[index] *= factor(index)
      report.gradients.min[index] *= factor(index)
    }
    report.scaleNorms(by: factor)
    report.histograms = histograms(report.gradients)
  }

  /// Histograms that reach from 8 octaves below the largest element up to it.
  func histograms(_ columns: GradientColumns) -> ExponentialHistogramColumn {
    var histograms = ExponentialHistogramColumn()
    for (tensor, largest) in columns.max.enumerated() {
      let elements = model.tensors[tensor].elementCount - columns.zeroCount[tensor]
      let offset = largest > 0 && largest.isFinite ? Int32(largest.exponent) - 7 : 0
      let counts = [1, 2, 4, 8, 16, 32, 24, 4].map { $0 * (elements / 256) }
      histograms.append(
        ExponentialHistogram(
          zeroCount: columns.zeroCount[tensor],
          positive: .init(offset: offset, counts: counts),
          negative: .init(offset: offset, counts: counts)
        )
      )
    }
    return histograms
  }

  private static func transformerModel() -> Model? {
    var layers = [
      Layer(name: "embed", moduleType: "Embedding"),
      Layer(name: "positions", moduleType: "Embedding"),
    ]
    var tensors = [
      Tensor(
        name: "embed.weight",
        layer: 0,
        role: .embedding,
        shape: [1000, 32],
        elementCount: 32_000
      ),
      Tensor(
        name: "positions.weight",
        layer: 1,
        role: .embedding,
        shape: [128, 32],
        elementCount: 4096
      ),
    ]
    func add(_ name: String, _ type: String, _ activation: String, _ out: UInt64, _ fanIn: UInt64) {
      let layer = UInt32(layers.count)
      layers.append(
        Layer(name: name, moduleType: type, activation: activation, isResidual: true, fanIn: fanIn)
      )
      let isNorm = type == "LayerNorm"
      tensors.append(
        Tensor(
          name: name + ".weight",
          layer: layer,
          role: isNorm ? .norm : .weight,
          shape: isNorm ? [out] : [out, fanIn],
          elementCount: isNorm ? out : out * fanIn
        )
      )
      tensors.append(
        Tensor(name: name + ".bias", layer: layer, role: .bias, shape: [out], elementCount: out)
      )
    }
    for block in 0..<4 {
      add("blocks.\(block).norm", "LayerNorm", "", 32, 32)
      add("blocks.\(block).attn", "MultiheadAttention", "", 32, 32)
      add("blocks.\(block).fc1", "Linear", "gelu", 128, 32)
      add("blocks.\(block).fc2", "Linear", "", 32, 128)
    }
    layers.append(Layer(name: "head", moduleType: "Linear", fanIn: 32))
    tensors.append(
      Tensor(
        name: "head.weight",
        layer: UInt32(layers.count - 1),
        role: .head,
        shape: [1000, 32],
        elementCount: 32_000,
        tiedTo: 0
      )
    )
    return try? Model(layers: layers, tensors: tensors)
  }

  private static func plainModel() -> Model? { try? Net(depth: 6).model }
}

extension StepReport {
  /// Makes the global norm that of the gradient column.
  mutating func setTrueGlobalNorm() {
    scalars.globalNorm = gradients.norm.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  /// Multiplies the gradients' column of norms, and the global one.
  mutating func scaleNorms(by factor: (Int) -> Float) {
    for index in gradients.norm.indices { gradients.norm[index] *= factor(index) }
    setTrueGlobalNorm()
  }

  /// Sets the loss.
  mutating func setLoss(_ loss: Double) {
    scalars.losses = [NamedLoss(name: "loss", value: loss)]
  }
}
