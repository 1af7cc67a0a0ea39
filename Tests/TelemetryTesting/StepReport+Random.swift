public import Telemetry

extension StepReport {
  /// Floats that a careless copy would change.
  public static let oddFloats: [Float] = [
    .nan, Float(bitPattern: 0x7FC0_1234), Float(bitPattern: 0xFFC0_0001),
    Float(bitPattern: 0x7FA0_0001), .infinity, -.infinity, -0.0, 0, .leastNonzeroMagnitude,
    -.leastNonzeroMagnitude, .greatestFiniteMagnitude, 1.5,
  ]
  /// Doubles that a careless copy would change.
  public static let oddDoubles: [Double] = [
    .nan, Double(bitPattern: 0x7FF8_0000_0000_1234), Double(bitPattern: 0xFFF4_0000_0000_0001),
    .infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
  ]
  /// Counts at the edges of every stored width.
  public static let oddCounts: [UInt64] = [
    0, 1, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, .max,
  ]

  /// A report in which anything may be measured or not, drawn at random.
  ///
  /// - Parameters:
  ///   - sequence: Its number.
  ///   - step: Its step.
  ///   - layers: The layers of the model, at least 3.
  ///   - tensors: The tensors of the model.
  ///   - random: Where it is drawn from.
  /// - Returns: A report whose columns fit the model; its histograms need not add up.
  public static func random(
    _ sequence: UInt64,
    step: UInt64,
    layers: Int = 3,
    tensors: Int = 5,
    using random: inout SeededGenerator
  ) -> StepReport {
    var report = StepReport(
      sequence: sequence,
      scalars: scalars(step: step, using: &random)
    )
    let some = indices(below: tensors, using: &random)
    report.gradients.tensorIDs = some
    let count = some.isEmpty ? tensors : some.count
    report.gradients.norm = floats(count, using: &random)
    report.gradients.mean = floats(count, using: &random)
    report.gradients.meanAbs = floats(count, using: &random)
    report.gradients.std = floats(count, using: &random)
    report.gradients.min = floats(count, using: &random)
    report.gradients.max = floats(count, using: &random)
    report.gradients.zeroCount = counts(count, using: &random)
    report.gradients.nanCount = counts(count, using: &random)
    report.gradients.positiveInfinityCount = counts(count, using: &random)
    report.gradients.negativeInfinityCount = counts(count, using: &random)
    report.parameters.tensorIDs = indices(below: tensors, using: &random)
    let parameters =
      report.parameters.tensorIDs.isEmpty ? tensors : report.parameters.tensorIDs.count
    report.parameters.norm = floats(parameters, using: &random)
    report.parameters.updateNorm = floats(parameters, using: &random)
    report.activations.layerIDs = indices(below: layers, using: &random)
    let active = report.activations.layerIDs.isEmpty ? layers : report.activations.layerIDs.count
    report.activations.mean = floats(active, using: &random)
    report.activations.std = floats(active, using: &random)
    report.activations.zeroFraction = floats(active, using: &random)
    report.activations.saturatedFraction = floats(active, using: &random)
    report.activations.deadUnitFraction = floats(active, using: &random)
    if Bool.random(using: &random) { report.histograms = exponential(tensors, using: &random) }
    if Int.random(in: 0..<3, using: &random) == 0 {
      report.explicitHistograms = explicit(tensors, using: &random)
    }
    if Bool.random(using: &random) {
      report.timeStepNorms = [
        TimeStepNorms(layer: 1, positions: [0, 1, 5], norms: [1, .nan, -0.0]),
        TimeStepNorms(layer: 2, positions: [], norms: []),
      ]
    }
    return report
  }

  private static func scalars(step: UInt64, using random: inout SeededGenerator) -> StepScalars {
    var scalars = StepScalars(
      step: step,
      wallTime: WallTime(clamping: Double.random(in: 0...2e9, using: &random))
    )
    for index in 0..<Int.random(in: 0...3, using: &random) {
      scalars.losses.append(
        NamedLoss(
          name: index == 0 ? "loss" : "auxiliary loss ü \(index)",
          value: oddDoubles.randomElement(using: &random) ?? 0
        )
      )
    }
    if Bool.random(using: &random) { scalars.learningRate = 0.1 }
    if Bool.random(using: &random) { scalars.globalNorm = oddDoubles.randomElement(using: &random) }
    if Bool.random(using: &random) {
      scalars.clipping = Clipping(
        kind: Clipping.Kind.allCases.randomElement(using: &random) ?? .value,
        threshold: 1.5,
        clipped: Bool.random(using: &random)
      )
    }
    if Bool.random(using: &random) { scalars.lossScale = oddDoubles.randomElement(using: &random) }
    scalars.gradientsAreScaled = Bool.random(using: &random)
    scalars.optimizerSkipped = Bool.random(using: &random)
    if Bool.random(using: &random) { scalars.batchSize = oddCounts.randomElement(using: &random) }
    scalars.phase = TrainingPhase.allCases.randomElement(using: &random) ?? .main
    scalars.droppedSteps = UInt64.random(in: 0...3, using: &random)
    if Int.random(in: 0..<4, using: &random) == 0 {
      scalars.annotations = annotations(Int.random(in: 1...3, using: &random))
    }
    return scalars
  }

  /// Annotations that differ, the first with an alert.
  public static func annotations(_ count: Int) -> [StepAnnotation] {
    (0..<count).map { index in
      StepAnnotation(
        action: "action_\(index)",
        detail: index == 1 ? "" : "learning rate 0.01 -> 0.00\(index) ü",
        alert: index == 0 ? AlertID("0123456789abcdef") : nil
      )
    }
  }

  /// Nothing half of the time (all), else some of the indices in any order.
  private static func indices(below count: Int, using random: inout SeededGenerator) -> [UInt32] {
    guard Bool.random(using: &random) else { return [] }
    let all = (0..<UInt32(count)).shuffled(using: &random)
    return Array(all.prefix(Int.random(in: 1...count, using: &random)))
  }

  private static func floats(_ count: Int, using random: inout SeededGenerator) -> [Float] {
    switch Int.random(in: 0..<4, using: &random) {
    case 0: []
    case 1: [Float](repeating: 0.5, count: count)
    case 2: (0..<count).map { _ in oddFloats.randomElement(using: &random) ?? 0 }
    default:
      (0..<count).map { _ in Float(bitPattern: UInt32.random(in: 0 ... .max, using: &random)) }
    }
  }

  private static func counts(_ count: Int, using random: inout SeededGenerator) -> [UInt64] {
    switch Int.random(in: 0..<4, using: &random) {
    case 0: []
    case 1: [UInt64](repeating: 0, count: count)
    case 2: (0..<count).map { _ in UInt64.random(in: 0..<300, using: &random) }
    default: (0..<count).map { _ in oddCounts.randomElement(using: &random) ?? 0 }
    }
  }

  private static func exponential(
    _ tensors: Int,
    using random: inout SeededGenerator
  ) -> ExponentialHistogramColumn {
    var column = ExponentialHistogramColumn()
    column.scale = Int32.random(in: -10...20, using: &random)
    column.tensorIDs = indices(below: tensors, using: &random)
    for _ in 0..<(column.tensorIDs.isEmpty ? tensors : column.tensorIDs.count) {
      column.append(
        ExponentialHistogram(
          scale: column.scale,
          zeroCount: oddCounts.randomElement(using: &random) ?? 0,
          positive: buckets(using: &random),
          negative: buckets(using: &random)
        )
      )
    }
    return column
  }

  private static func buckets(
    using random: inout SeededGenerator
  ) -> ExponentialHistogram.Buckets {
    ExponentialHistogram.Buckets(
      offset: [0, 1, -1, -127, 128, .min, .max].randomElement(using: &random) ?? 0,
      counts: (0..<Int.random(in: 0..<40, using: &random)).map { _ in
        oddCounts.randomElement(using: &random) ?? 0
      }
    )
  }

  private static func explicit(
    _ tensors: Int,
    using random: inout SeededGenerator
  ) -> ExplicitHistogramColumn {
    var column = ExplicitHistogramColumn()
    column.bounds = [[], [0], [-1, -0.0, 1e300]].randomElement(using: &random) ?? []
    column.tensorIDs = indices(below: tensors, using: &random)
    let count = column.tensorIDs.isEmpty ? tensors : column.tensorIDs.count
    column.counts = (0..<count * (column.bounds.count + 1)).map { _ in
      oddCounts.randomElement(using: &random) ?? 0
    }
    return column
  }
}
