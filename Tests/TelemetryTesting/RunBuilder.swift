public import Telemetry

/// A small run for tests: a stack of dense layers, each with a weight and a bias, and reports for it.
public struct RunBuilder: Sendable {
  /// What the client would register.
  public let registration: RunRegistration

  /// Makes a run.
  ///
  /// - Parameters:
  ///   - run: The run's identifier.
  ///   - layers: The number of layers; weights have 16 elements, biases 4.
  ///   - project: The project.
  ///   - producer: The producer's identifier.
  ///   - rank: Its rank and the number of ranks, if it is one of several.
  /// - Throws: ``Telemetry/TelemetryError`` for names that are none.
  public init(
    run: String,
    layers: Int = 3,
    project: String = "tests",
    producer: String = "p0",
    rank: (UInt32, of: UInt32)? = nil
  ) throws {
    let model = try Model(
      layers: (0..<layers).map {
        Layer(name: "dense_\($0)", moduleType: "Dense", activation: "relu")
      },
      tensors: (0..<layers).flatMap { layer in
        [
          Tensor(
            name: "dense_\(layer).weight",
            layer: UInt32(layer),
            role: .weight,
            shape: [4, 4],
            elementCount: 16
          ),
          Tensor(
            name: "dense_\(layer).bias",
            layer: UInt32(layer),
            role: .bias,
            shape: [4],
            elementCount: 4
          ),
        ]
      }
    )
    registration = try RunRegistration(
      run: try RunID(run),
      project: project,
      producer: Producer(id: try ProducerID(producer), rank: rank?.0, worldSize: rank?.of),
      model: model
    )
  }

  /// A report of a healthy step: every gradient norm is about 1 and the loss falls.
  ///
  /// - Parameters:
  ///   - sequence: The report's number.
  ///   - step: The step; the one before the sequence number if absent.
  ///   - scale: What the gradients are multiplied by.
  ///   - loss: The loss; about 1/step if absent.
  ///   - histograms: Whether to add exponential histograms.
  /// - Returns: The report.
  public func report(
    _ sequence: UInt64,
    step: UInt64? = nil,
    scale: Float = 1,
    loss: Double? = nil,
    histograms: Bool = false
  ) -> StepReport {
    let step = step ?? sequence - 1
    var scalars = StepScalars(
      step: step,
      wallTime: WallTime(clamping: 1_700_000_000 + Double(step))
    )
    scalars.losses = [NamedLoss(name: "loss", value: loss ?? 1 / (Double(step) + 1))]
    scalars.learningRate = 0.01
    var report = StepReport(sequence: sequence, scalars: scalars)
    let tensors = registration.model.tensors
    // A little noise that depends on step and tensor only.
    var generator = SeededGenerator(seed: step &* 1_000_003)
    report.gradients.norm = tensors.map { _ in
      Float.random(in: 0.9...1.1, using: &generator) * scale
    }
    report.gradients.mean = tensors.map { _ in 0.01 * scale }
    report.gradients.nanCount = tensors.map { _ in 0 }
    report.parameters.norm = tensors.map { _ in 2 }
    report.parameters.updateNorm = tensors.map { _ in 0.01 }
    report.scalars.globalNorm = Double(
      report.gradients.norm.reduce(0) { $0 + $1 * $1 }.squareRoot()
    )
    guard histograms else { return report }
    var column = ExponentialHistogramColumn()
    for tensor in tensors {
      column.append(
        ExponentialHistogram(
          zeroCount: 1,
          positive: .init(offset: -3, counts: [1, tensor.elementCount - 3]),
          negative: .init(offset: -2, counts: [1])
        )
      )
    }
    report.histograms = column
    return report
  }
}
