import Testing
import TrainingEngine

@Suite("Experiments")
struct ExperimentTests {
  /// The mean loss of every epoch.
  private func epochLosses(_ experiment: Experiment) throws -> [Double] {
    var (sums, counts): ([Double], [Double]) = ([], [])
    for step in IteratorSequence(try Trainer(experiment)) {
      if step.epoch == sums.count {
        sums.append(0)
        counts.append(0)
      }
      sums[step.epoch] += Double(step.loss)
      counts[step.epoch] += 1
    }
    return zip(sums, counts).map { $0 / $1 }
  }

  /// The root mean square of each weight's gradient, averaged over some steps as decades.
  private func decades(_ experiment: Experiment, steps: Range<Int>) throws -> [Double] {
    var sums = [Double](repeating: 0, count: experiment.layers.count)
    for step in IteratorSequence(try Trainer(experiment)).prefix(steps.upperBound)
    where steps.contains(step.index) {
      for layer in sums.indices {
        let elements = step.shares[0].gradients[2 * layer].elements.map { Double($0) }
        let square = elements.reduce(0) { $0 + $1 * $1 } / Double(elements.count)
        sums[layer] += log10(square.squareRoot())
      }
    }
    return sums.map { $0 / Double(steps.count) }
  }

  private func log10(_ x: Double) -> Double {
    Double.naturalLogarithm(x) / Double.naturalLogarithm(10)
  }

  @Test("names and identifiers are unique, and a fix names an experiment that is there")
  func list() throws {
    let all = Experiment.all
    #expect(Set(all.map(\.identifier)).count == all.count)
    #expect(Set(all.map(\.name)).count == all.count)
    for experiment in all {
      if let fixes = experiment.fixes { #expect(all.contains { $0.name == fixes }, "\(fixes)") }
    }
    // The article: 100 epochs of 94 batches; 1000 samples are 32 batches.
    #expect(try Experiment.named("sigmoid-moons").stepCount == 9400)
    #expect(try Experiment.named("exploding-regression").stepCount == 3200)
  }

  @Test("every experiment's layers fit, and its first step is finite", arguments: Experiment.all)
  func firstStep(_ experiment: Experiment) throws {
    var trainer = try Trainer(experiment)
    let first = trainer.next()
    let step = try #require(first)
    #expect(step.loss.isFinite)
    #expect(step.parametersAfter.count == trainer.network.parameters.count)
  }

  @Test("an expected alert matches its rule at its severity or above")
  func expectedAlert() {
    let alert = ExpectedAlert("vanishing_gradient", .warning)
    #expect(alert.matches(rule: "vanishing_gradient", severity: .critical))
    #expect(alert.matches(rule: "vanishing_gradient", severity: .warning))
    #expect(!alert.matches(rule: "vanishing_gradient", severity: .info))
    #expect(!alert.matches(rule: "dead_relu", severity: .critical))
    #expect(ExpectedAlert.any(.warning).matches(rule: "dead_relu", severity: .critical))
    #expect(!ExpectedAlert.any(.warning).matches(rule: "dead_relu", severity: .info))
  }

  @Test("N1's gradients fade towards the input at first, and it learns nevertheless")
  func sigmoidMoons() throws {
    let early = try decades(.named("sigmoid-moons"), steps: 0..<50)
    // The sources measured 0.28 to 0.55 decades a layer over the first steps.
    let slope = (early[3] - early[0]) / 3
    #expect(slope > 0.25 && slope < 0.7, "\(early)")
    let losses = try epochLosses(.named("sigmoid-moons"))
    try #require(losses.count == 100)
    #expect(losses[0] > 0.6 && losses[99] < 0.45, "\(losses[0]) to \(losses[99])")
  }

  @Test("N2's gradients don't fade, and its loss falls below 0.35")
  func reluMoons() throws {
    let early = try decades(.named("relu-moons"), steps: 0..<50)
    #expect((early[3] - early[0]) / 3 < 0.25, "\(early)")
    let losses = try epochLosses(.named("relu-moons"))
    try #require(losses.count == 100)
    #expect(losses[99] < 0.35, "\(losses[99])")
  }

  @Test("N6 explodes to a non-finite loss within 10 steps, and its gradients follow")
  func explodingRegression() throws {
    var steps: [TrainingStep] = []
    var trainer = try Trainer(.named("exploding-regression"))
    let outcome = try trainer.train(observers: [
      { step in
        steps.append(step)
        return .proceed
      }
    ])
    let first = try #require(outcome.firstNonFiniteStep)
    #expect(first < 10)
    #expect(outcome.stepCount == first + 13)
    let norms = steps.prefix(3).map { $0.shares[0].globalGradientNorm() }
    #expect(norms[1] > 10 * norms[0] && norms[2] > 10 * norms[1], "\(norms)")
    let last = try #require(steps.last)
    #expect(last.shares[0].gradients.allSatisfy { $0.elements.contains(where: \.isNaN) })
    #expect(last.parametersAfter.allSatisfy { $0.elements.contains(where: \.isNaN) })
  }

  @Test("N8's loss falls to a few hundred without an explosion")
  func glorotTanhRegression() throws {
    var norms: [Double] = []
    var loss = Float.infinity
    var lastEpoch: [Double] = []
    for step in IteratorSequence(try Trainer(.named("glorot-tanh-regression"))) {
      norms.append(step.shares[0].globalGradientNorm())
      if step.index == 0 { loss = step.loss }
      if step.epoch == 99 { lastEpoch.append(Double(step.loss)) }
    }
    #expect(loss > 10_000)
    #expect(lastEpoch.count == 32 && Moments(lastEpoch).mean < 600)
    #expect(norms.count == 3200 && norms.allSatisfy { $0 < 10_000 })
  }
}

extension Experiment {
  /// The experiment of this name.
  static func named(_ name: String) throws -> Experiment {
    try #require(all.first { $0.name == name })
  }
}
