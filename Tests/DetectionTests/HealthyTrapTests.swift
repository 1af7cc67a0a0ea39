import Detection
import Telemetry
import Testing

/// What healthy runs do that looks like a fault, held against all rules at once.
@Suite("healthy runs of the hard kind")
struct HealthyTrapTests {
  private static let traps = [
    "nothing odd", "loss scaling", "a loss scaler that starts too high", "warm-up and decay",
    "frozen backbone without gradients", "frozen backbone with zeros",
    "frozen backbone with gradients", "unused layer", "late convergence", "end of schedule",
    "larger gradients in early layers", "experts without tokens", "adaptive clipping",
    "clipping of the first 60 steps", "mild clipping", "two losses in a game", "negative losses",
    "batch of one", "cyclic rate", "warm restarts", "other batch sizes", "every 50th step",
    "norms alone", "targets that are not scaled", "tied weights that sum two paths",
    "rare rows of embeddings", "norm layers with large gradients", "biases near 0",
    "weights of deviation 1 behind norm layers", "blocks whose first layers get little", "resumed",
    "accumulated in float16 with a scale",
  ]
  private static let steps = 600

  @Test("no rule warns", arguments: traps)
  func silent(_ trap: String) throws {
    for model in [HealthyRun.transformer, HealthyRun.plain] {
      let watch = try Self.watch(try #require(model), trap)
      #expect(watch.warned.isEmpty)
    }
  }

  @Test("a run with NaN losses has that alert, and no other loss rule joins in")
  func nonFiniteLosses() throws {
    let watch = try Self.watch(try #require(HealthyRun.plain), "NaN losses")
    #expect(watch.warned == ["non_finite_loss"])
  }

  private static func watch(_ model: Model, _ trap: String) throws -> Watch {
    var model = model
    if ["frozen backbone with zeros", "frozen backbone with gradients"].contains(trap) {
      model = try Model(
        layers: model.layers,
        tensors: model.tensors.enumerated().map { index, tensor in
          var tensor = tensor
          tensor.isTrainable = index >= model.tensors.count / 2
          return tensor
        }
      )
    }
    var run = HealthyRun(model)
    var watch = try Watch(model)
    for report in 0..<steps {
      let step = trap == "every 50th step" ? 50 * report : report
      var report = run.report(step)
      change(&report, trap, step, &run)
      if trap == "resumed" {
        if step == 300 { watch.note(watch.detector.rewind(to: 1000, at: Watch.time(5300))) }
        report.scalars.step = UInt64(step < 300 ? 5000 + step : 700 + step)
      }
      watch.feed(report)
    }
    return watch
  }

  private static func change(
    _ report: inout StepReport,
    _ trap: String,
    _ step: Int,
    _ run: inout HealthyRun
  ) {
    switch trap {
    case "warm-up and decay", "end of schedule", "cyclic rate", "warm restarts":
      changeSchedule(&report, trap, step)
    case "clipping of the first 60 steps", "mild clipping", "adaptive clipping":
      changeClipping(&report, trap, step)
    case "late convergence", "two losses in a game", "negative losses", "batch of one",
      "targets that are not scaled", "NaN losses":
      changeLoss(&report, trap, step, &run)
    case "loss scaling", "a loss scaler that starts too high",
      "accumulated in float16 with a scale":
      changeScale(&report, trap, step, run)
    case "norms alone", "resumed", "other batch sizes": changeRun(&report, trap, step)
    case "frozen backbone without gradients", "frozen backbone with zeros",
      "frozen backbone with gradients", "unused layer", "experts without tokens":
      changeUse(&report, trap, step, run)
    default: changeTensors(&report, trap, step, run.model)
    }
  }

  private static func changeSchedule(_ report: inout StepReport, _ trap: String, _ step: Int) {
    let time = Float(step)
    var rate: Float = 1
    switch trap {
    case "warm-up and decay":
      // From 1e-4 of the rate, at which nothing is learned for 200 steps; norms grow with it.
      rate = step < 300 ? power(1.0312, step) / 10_000 : 1.01 - (time - 300) / 300
      report.scalars.phase = step < 300 ? .warmup : .decay
      report.scaleNorms { _ in 1 + 5 * rate }
      if step < 200 { report.setLoss(2.3 * (0.98 + 0.01 * Double(step % 5))) }
    case "end of schedule":
      // A cosine down to 0. With weight decay, norms rise by the root of the rate as it falls
      // (arXiv 2506.02285), and the last sixth has other data, which is harder.
      let phase = 1 - time / 600
      rate = max(1e-3, phase * phase)
      report.scaleNorms { _ in 1 / rate.squareRoot() }
      if step >= 500 { report.setLoss(1.8 * (report.scalars.primaryLoss ?? 1)) }
    case "cyclic rate":
      rate = 1.01 - abs(50 - time.truncatingRemainder(dividingBy: 100)) / 50
      report.scaleNorms { _ in 1 + 3 * rate }
      report.setLoss((1 + Double(rate)) * (report.scalars.primaryLoss ?? 1))
    default:
      let phase = time.truncatingRemainder(dividingBy: 150)
      rate = 1.01 - phase / 150
      if step >= 150, phase < 10 {
        report.scaleNorms { _ in 10 }
        report.setLoss(1.5 * (report.scalars.primaryLoss ?? 1))
      }
    }
    report.scalars.learningRate = 0.001 * Double(rate)
    for index in report.parameters.updateNorm.indices {
      report.parameters.updateNorm[index] *= rate
    }
  }

  private static func changeClipping(_ report: inout StepReport, _ trap: String, _ step: Int) {
    let norm = report.scalars.globalNorm ?? 0
    switch trap {
    case "clipping of the first 60 steps": report.clip(at: step < 60 ? 0.1 : 10, norm: norm)
    // A net that learns in spite of it.
    case "mild clipping": report.clip(at: 0.1, norm: norm)
    default: report.clip(.adaptive, at: 0.01, norm: norm, clipped: true)
    }
  }

  private static func changeLoss(
    _ report: inout StepReport,
    _ trap: String,
    _ step: Int,
    _ run: inout HealthyRun
  ) {
    let time = Double(step)
    switch trap {
    case "late convergence":
      // Down to 1e-6 of the start, where every batch is another magnitude.
      let size = max(Float(1e-6), power(0.95, step))
      let spread = step > 200 ? run.tail() : 1
      report.setLoss(2.3 * Double(size * spread))
      report.scaleNorms { _ in size * spread }
      for index in report.parameters.updateNorm.indices {
        // Every third one is rounded away.
        report.parameters.updateNorm[index] *= size < 1e-4 && index % 3 == 0 ? 0 : size
      }
    case "two losses in a game":
      let wave = Double(abs(step % 120 - 60)) / 60
      report.scalars.losses = [
        NamedLoss(name: "discriminator", value: 0.2 + 2 * wave * Double(run.jitter(2))),
        NamedLoss(name: "generator", value: 0.7 + 6 * (1 - wave) * Double(run.jitter(2))),
      ]
      let size = run.jitter(3)
      report.scaleNorms { _ in size }
    case "negative losses":
      // A policy's objective: it goes below zero, and up as well as down.
      let wave = Double(abs(step % 200 - 100)) / 100
      report.setLoss(0.2 * Double(run.jitter(3)) - 0.4 + 2 * wave)
    case "batch of one":
      report.scalars.batchSize = 1
      let size = run.tail()
      report.scaleNorms { _ in size }
      report.setLoss(Double(size.squareRoot().squareRoot()) * (report.scalars.primaryLoss ?? 1))
    case "targets that are not scaled":
      report.setLoss(149 + 25_000 / (1 + 0.05 * time))
      run.scale(&report) { _ in 20_000 / (1 + 0.02 * Float(time)) }
    default:
      if step % 100 == 50 { report.setLoss(.nan) }
      if [60, 61].contains(step % 100) { report.setLoss(.infinity) }
    }
  }

  private static func changeScale(
    _ report: inout StepReport,
    _ trap: String,
    _ step: Int,
    _ run: HealthyRun
  ) {
    let isStart = trap == "a loss scaler that starts too high"
    // A fixed scale that a person raises; each hundredth step overflows, and is skipped.
    let scale: Float = isStart ? 65536 : step < 300 ? 128 : 8192
    report.scalars.lossScale = Double(scale)
    report.scalars.gradientsAreScaled = true
    run.scale(&report) { _ in scale }
    if trap == "accumulated in float16 with a scale" {
      report.histograms = halfHistograms(run.model, isAtEdge: step >= 300)
    }
    guard isStart ? step < 12 : step % 100 == 0 && step > 0 else { return }
    report.scalars.optimizerSkipped = true
    report.scalars.globalNorm = .infinity
    report.gradients.norm[0] = .infinity
    report.gradients.positiveInfinityCount[0] = 3
    for index in report.parameters.updateNorm.indices { report.parameters.updateNorm[index] = 0 }
  }

  /// Half of the elements are 0 for dead units and end well above float16's smallest number, or
  /// some reach that, and a tenth is lost below it.
  private static func halfHistograms(
    _ model: Model,
    isAtEdge: Bool
  )
    -> ExponentialHistogramColumn
  {
    var histograms = ExponentialHistogramColumn()
    for tensor in model.tensors {
      let zeros = tensor.elementCount / (isAtEdge ? 10 : 2)
      let count = (tensor.elementCount - zeros) / 8
      let side = ExponentialHistogram.Buckets(
        offset: isAtEdge ? -24 : -18,
        counts: [count, count, count, count]
      )
      histograms.append(ExponentialHistogram(zeroCount: zeros, positive: side, negative: side))
    }
    return histograms
  }

  private static func changeRun(_ report: inout StepReport, _ trap: String, _ step: Int) {
    switch trap {
    case "other batch sizes":
      // The norm falls with the root of the batch size where noise makes most of it.
      report.scalars.batchSize = step < 300 ? 2048 : 16
      report.scaleNorms { _ in step < 300 ? 0.09 : 1 }
    case "norms alone":
      // A flat start that is left, and a convergence of which no loss tells.
      let growth = min(1, 0.05 * power(1.2, max(0, step - 60)))
      let size = max(Float(1e-7), growth * power(0.93, max(0, step - 200)))
      report.scaleNorms { _ in size }
      var bare = StepReport(step: UInt64(step), loss: nil)
      bare.gradients.norm = report.gradients.norm
      report = bare
    default:
      // A late checkpoint with grown weights and small gradients, and from 300 on an early one.
      guard step < 300 else { return }
      report.scaleNorms { _ in 0.1 }
      for index in report.parameters.norm.indices {
        report.parameters.norm[index] *= 6
        report.parameters.updateNorm[index] *= 6
      }
    }
  }

  private static func changeUse(
    _ report: inout StepReport,
    _ trap: String,
    _ step: Int,
    _ run: HealthyRun
  ) {
    let tensors = run.model.tensors
    let middle = tensors.count / 2
    if trap == "frozen backbone without gradients" {
      var gradients = GradientColumns()
      gradients.tensorIDs = (middle..<tensors.count).map { UInt32($0) }
      gradients.norm = Array(report.gradients.norm[middle...])
      report.gradients = gradients
      report.histograms = nil
    }
    let still = tensors.indices.filter { index in
      switch trap {
      case "unused layer": tensors[index].layer == 2
      // A token in one step of thirty.
      case "experts without tokens": [3, 7].contains(tensors[index].layer) && step % 30 != 0
      default: index < middle
      }
    }
    for index in still { report.parameters.updateNorm[index] = 0 }
    guard !trap.hasSuffix(" gradients") else { return }
    for index in still {
      report.gradients.norm[index] = 0
      report.gradients.max[index] = 0
      report.gradients.min[index] = 0
      report.gradients.zeroCount[index] = tensors[index].elementCount
      if trap == "experts without tokens" {
        report.activations.deadUnitFraction[Int(tensors[index].layer)] = .nan
      }
    }
    report.histograms = run.histograms(report.gradients)
  }

  private static func changeTensors(
    _ report: inout StepReport,
    _ trap: String,
    _ step: Int,
    _ model: Model
  ) {
    let tensors = model.tensors
    let hasNorms = tensors.contains { $0.role == .norm }
    switch trap {
    case "larger gradients in early layers":
      report.scaleNorms { 1 + 9 * Float(tensors.count - $0) / Float(tensors.count) }
    case "tied weights that sum two paths":
      report.scaleNorms { tensors[$0].tiedTo != nil || tensors[$0].role == .embedding ? 100 : 1 }
    case "rare rows of embeddings":
      report.scaleNorms { tensors[$0].role == .embedding ? 1e-3 : 1 }
    case "norm layers with large gradients":
      report.scaleNorms { tensors[$0].role == .norm ? 20 : 1 }
    case "biases near 0":
      // They begin at 0.01, and have twice the rate.
      for index in tensors.indices where tensors[index].role == .bias {
        report.parameters.norm[index] = 0.057 + 0.002 * Float(step).squareRoot()
        report.parameters.updateNorm[index] = 0.012
      }
    case "weights of deviation 1 behind norm layers" where hasNorms:
      for index in tensors.indices where tensors[index].role == .weight {
        let size = Float(tensors[index].elementCount).squareRoot()
        let factor = size / report.parameters.norm[index]
        report.parameters.updateNorm[index] *= factor
        report.parameters.norm[index] = size
        // What normalization undoes has a gradient that is as much smaller.
        report.scaleNorms { $0 == index ? 1 / factor : 1 }
      }
    case "blocks whose first layers get little" where hasNorms:
      // Attention that is still uniform, and a branch that begins near 0.
      let names = ["blocks.0.attn.weight", "blocks.0.fc1.weight", "blocks.1.attn.weight"]
      report.scaleNorms { names.contains(tensors[$0].name) ? 3e-3 : 1 }
    default: break
    }
  }
}
