import Detection
import Telemetry
import Testing

/// What healthy runs do that looks like a fault, held against all rules at once.
@Suite("healthy runs of the hard kind")
struct HealthyTrapTests {
  private static let traps = [
    "nothing odd", "loss scaling", "a loss scaler that starts too high", "warm-up and decay",
    "frozen backbone without gradients", "frozen backbone with zeros", "unused layer",
    "late convergence", "end of schedule", "larger gradients in early layers",
    "experts without tokens", "adaptive clipping", "clipping of the first 60 steps",
    "two losses in a game", "negative losses", "batch of one", "cyclic rate", "warm restarts",
    "other batch sizes", "every 50th step", "norms alone", "targets that are not scaled",
    "tied weights that sum two paths", "resumed", "accumulated in float16 with a scale",
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
    if trap == "frozen backbone with zeros" {
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
    for step in stride(from: 0, to: steps, by: trap == "every 50th step" ? 50 : 1) {
      var report = run.report(step)
      change(&report, trap, step, &run)
      if trap == "resumed" {
        if step == 300 { watch.note(watch.detector.rewind(to: 5150, at: Watch.time(5300))) }
        report.scalars.step = UInt64(step < 300 ? 5000 + step : 4850 + step)
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
    case "warm-up and decay", "end of schedule", "cyclic rate", "warm restarts",
      "clipping of the first 60 steps", "adaptive clipping":
      changeSchedule(&report, trap, step)
    case "late convergence", "two losses in a game", "negative losses", "batch of one",
      "targets that are not scaled", "NaN losses":
      changeLoss(&report, trap, step, &run)
    case "loss scaling", "a loss scaler that starts too high",
      "accumulated in float16 with a scale":
      changeScale(&report, trap, step, run)
    default: changeTensors(&report, trap, step, run)
    }
  }

  private static func changeSchedule(_ report: inout StepReport, _ trap: String, _ step: Int) {
    let time = Float(step)
    var rate: Float = 1
    switch trap {
    case "warm-up and decay":
      // Norms grow sixfold with the rate, and fall with it.
      rate = step < 100 ? (time + 1) / 100 : 1.01 - (time - 100) / 500
      report.scalars.phase = step < 100 ? .warmup : .decay
      report.scaleNorms { _ in 1 + 5 * rate }
    case "end of schedule":
      // With weight decay, norms rise by the root of the rate as it falls (arXiv 2506.02285).
      rate = max(0.01, 1 - time / 590)
      report.scaleNorms { _ in 1 / rate.squareRoot() }
    case "cyclic rate":
      rate = 0.01 + abs(50 - time.truncatingRemainder(dividingBy: 100)) / 50
      report.scaleNorms { _ in 1 + rate }
    case "warm restarts":
      let phase = time.truncatingRemainder(dividingBy: 150)
      rate = 1.01 - phase / 150
      if step >= 150, phase < 10 {
        report.scaleNorms { _ in 2 }
        report.setLoss(1.5 * (report.scalars.primaryLoss ?? 1))
      }
    case "clipping of the first 60 steps":
      report.clip(at: step < 60 ? 0.1 : 10, norm: report.scalars.globalNorm ?? 0)
    default: report.clip(.adaptive, at: 0.1, norm: report.scalars.globalNorm ?? 0, clipped: true)
    }
    report.scalars.learningRate = 0.001 * Double(rate)
    for index in report.parameters.updateNorm.indices {
      report.parameters.updateNorm[index] *= rate
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
      report.setLoss(2.3 * Double(size * run.jitter(2)))
      let spread = step > 200 ? run.jitter(3) : 1
      report.scaleNorms { _ in size * spread }
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
      report.setLoss(0.5 * Double(run.jitter(3)) - 1.5 * time / 600 - 0.4)
    case "batch of one":
      report.scalars.batchSize = 1
      let size = 1 / run.jitter(4).squareRoot()
      report.scaleNorms { _ in size }
      report.setLoss(Double(size) * (report.scalars.primaryLoss ?? 1))
    case "targets that are not scaled":
      report.setLoss(149 + 25_000 / (1 + 0.05 * time))
      report.scaleNorms { _ in 20_000 / (1 + 0.02 * Float(time)) }
    default: if step % 100 == 50 { report.setLoss(.nan) }
    }
  }

  private static func changeScale(
    _ report: inout StepReport,
    _ trap: String,
    _ step: Int,
    _ run: HealthyRun
  ) {
    // Doubled every 100 steps; each time the first step overflows, and is skipped.
    let isStart = trap == "a loss scaler that starts too high"
    let isOver = isStart ? step < 12 : step % 100 == 0 && step > 0
    let scale = isStart ? 65536 : Float(1024 << (step / 100))
    report.scalars.lossScale = Double(scale)
    report.scalars.gradientsAreScaled = true
    report.scaleNorms { _ in scale }
    for index in report.gradients.max.indices {
      report.gradients.max[index] *= scale
      report.gradients.min[index] *= scale
    }
    report.histograms = run.histograms(report.gradients)
    guard isOver else { return }
    report.scalars.optimizerSkipped = true
    report.scalars.globalNorm = .infinity
    report.gradients.norm[0] = .infinity
    report.gradients.positiveInfinityCount[0] = 3
    for index in report.parameters.updateNorm.indices { report.parameters.updateNorm[index] = 0 }
  }

  private static func changeTensors(
    _ report: inout StepReport,
    _ trap: String,
    _ step: Int,
    _ run: HealthyRun
  ) {
    let tensors = run.model.tensors
    let middle = tensors.count / 2
    func isExpert(_ index: Int) -> Bool { [3, 7].contains(tensors[index].layer) }
    switch trap {
    case "frozen backbone without gradients":
      var gradients = GradientColumns()
      gradients.tensorIDs = (middle..<tensors.count).map { UInt32($0) }
      gradients.norm = Array(report.gradients.norm[middle...])
      report.gradients = gradients
      report.histograms = nil
      for index in 0..<middle { report.parameters.updateNorm[index] = 0 }
    case "frozen backbone with zeros", "unused layer", "experts without tokens":
      let zeros = tensors.indices.filter { index in
        switch trap {
        case "frozen backbone with zeros": index < middle
        case "unused layer": tensors[index].layer == 2
        default: isExpert(index) && step % 3 != 0
        }
      }
      for index in zeros {
        report.gradients.norm[index] = 0
        report.gradients.max[index] = 0
        report.gradients.min[index] = 0
        report.gradients.zeroCount[index] = tensors[index].elementCount
        report.parameters.updateNorm[index] = 0
        if trap == "experts without tokens" {
          report.activations.deadUnitFraction[Int(tensors[index].layer)] = .nan
        }
      }
      report.histograms = run.histograms(report.gradients)
    case "larger gradients in early layers":
      report.scaleNorms { 1 + 9 * Float(tensors.count - $0) / Float(tensors.count) }
    case "other batch sizes":
      let isLarge = (200..<400).contains(step)
      report.scalars.batchSize = isLarge ? 512 : 32
      report.scaleNorms { _ in isLarge ? 0.25 : 1 }
    case "norms alone":
      var bare = StepReport(step: UInt64(step), loss: nil)
      bare.gradients.norm = report.gradients.norm
      report = bare
    case "tied weights that sum two paths":
      report.scaleNorms { tensors[$0].tiedTo != nil || tensors[$0].role == .embedding ? 30 : 1 }
    default: break
    }
  }
}
