import Testing
import TrainingEngine

@Suite("Training")
struct TrainerTests {
  /// Three epochs of 50 samples in batches of 16: 4 batches an epoch, the last one of 2.
  private func small() throws -> Experiment {
    var experiment = try Experiment.named("sigmoid-moons")
    experiment.data = .moons(count: 50, noise: 0.2, seed: 5)
    experiment.batchSize = 16
    experiment.epochs = 3
    return experiment
  }

  private func steps(_ experiment: Experiment) throws -> [TrainingStep] {
    Array(IteratorSequence(try Trainer(experiment)))
  }

  @Test("numbers whose product no step could have are refused")
  func impossibleCounts() throws {
    for change in [
      { $0.epochs = .max }, { $0.accumulation = .max }, { $0.rankCount = .max },
      { $0.epochs = 0 }, { $0.accumulation = 0 }, { $0.rankCount = -1 },
    ] as [(inout Experiment) -> Void] {
      var experiment = try small()
      change(&experiment)
      #expect(throws: TrainingError.self) { _ = try Trainer(experiment) }
    }
  }

  @Test("an epoch is all samples once, the last batch what is left")
  func batches() throws {
    let steps = try steps(small())
    let count = try small().stepCount
    #expect(count == 12)
    #expect(steps.map(\.index) == Array(0..<12))
    #expect(steps.map(\.epoch) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    #expect(steps.map(\.batchSize) == [16, 16, 16, 2, 16, 16, 16, 2, 16, 16, 16, 2])
    #expect(steps.allSatisfy { $0.shares[0].activations[0]?.shape == [$0.batchSize, 10] })
  }

  @Test("every epoch sees every sample once, in another order")
  func order() throws {
    // A linear unit of weights 1 that never learns: its output is the sum of the two coordinates.
    var experiment = try small()
    experiment.layers = [.dense(1, .linear, .randomUniform(1, 1)), .dense(1, .sigmoid, .zeros)]
    experiment.updateRule = .sgd(learningRate: 0)
    let steps = try steps(experiment)
    let epochs = (0..<3).map { epoch in
      steps.filter { $0.epoch == epoch }.flatMap { $0.shares[0].activations[0]?.elements ?? [] }
    }
    let inputs = experiment.data.makeDataset().inputs.elements
    let sums: [Float] = (0..<50).map { sample in inputs[2 * sample] + inputs[2 * sample + 1] }
    for epoch in epochs { #expect(epoch.sorted() == sums.sorted()) }
    #expect(epochs[0] != epochs[1] && epochs[1] != epochs[2])
  }

  @Test("a step shows the parameters before and after the update that its gradients made")
  func parameters() throws {
    var experiment = try small()
    experiment.updateRule = .sgd(learningRate: 0.5)
    let steps = try steps(experiment)
    for step in steps {
      #expect(step.learningRate == 0.5)
      for index in step.shares[0].gradients.indices {
        let (before, gradient) = (step.parametersBefore[index], step.shares[0].gradients[index])
        let expected = zip(before.elements, gradient.elements).map { $0 - 0.5 * $1 }
        #expect(step.parametersAfter[index].elements == expected)
      }
    }
    for (step, next) in zip(steps, steps.dropFirst()) {
      #expect(step.parametersAfter == next.parametersBefore)
    }
    let first = try Trainer(experiment).network.parameters.map(\.value)
    #expect(steps[0].parametersBefore == first)
  }

  @Test("the global norm is over all gradients, and finite if they are")
  func globalNorm() throws {
    let step = try #require(try steps(small()).first)
    let squares = step.shares[0].gradients.flatMap(\.elements).map { Double($0) * Double($0) }
    expectClose(
      [step.shares[0].globalGradientNorm()],
      [squares.reduce(0, +).squareRoot()],
      tolerance: 1e-12,
      "norm"
    )
    let late = try #require(try steps(.named("exploding-regression")).first { $0.index == 3 })
    #expect(!late.loss.isFinite && late.shares[0].globalGradientNorm() > 1e20)
    #expect(late.shares[0].globalGradientNorm().isFinite)
  }

  @Test("the same seed gives the same bits, another seed other ones")
  func seeds() throws {
    var experiment = try Experiment.named("relu-moons")
    experiment.epochs = 2
    let (first, second) = (try steps(experiment), try steps(experiment))
    experiment.seed += 1
    let other = try steps(experiment)
    #expect(first.map(\.loss.bitPattern) == second.map(\.loss.bitPattern))
    #expect(first.last?.parametersAfter == second.last?.parametersAfter)
    #expect(first[0].loss != other[0].loss)
    #expect(first[0].parametersBefore != other[0].parametersBefore)
  }

  @Test("every observer sees every step, also the one at which another asks to stop")
  func observers() throws {
    var (seen, alsoSeen): ([Int], [Int]) = ([], [])
    var trainer = try Trainer(small())
    let outcome = try trainer.train(observers: [
      { step in
        seen.append(step.index)
        return step.index == 4 ? .stop : .proceed
      },
      { step in
        alsoSeen.append(step.index)
        return .proceed
      },
    ])
    #expect(seen == [0, 1, 2, 3, 4] && alsoSeen == seen)
    #expect(outcome.reason == .stoppedByObserver)
    #expect(outcome.stepCount == 5)
    // It may go on from there.
    #expect(trainer.next()?.index == 5)
  }

  @Test("an error of an observer ends the run and reaches the caller")
  func throwingObserver() throws {
    struct Full: Error {}
    var trainer = try Trainer(small())
    #expect(throws: Full.self) {
      try trainer.train(observers: [
        { step in if step.index == 2 { throw Full() } else { .proceed } }
      ])
    }
    #expect(trainer.next()?.index == 3)
  }

  @Test("a finite run ends with its last epoch")
  func completion() throws {
    var trainer = try Trainer(small())
    let outcome = try trainer.train()
    #expect(outcome.reason == .completed)
    #expect(outcome.stepCount == 12)
    #expect(outcome.firstNonFiniteStep == nil)
    #expect(trainer.next() == nil)
  }

  @Test(
    "a run goes on for as many steps after a non-finite loss as it is told",
    arguments: [0, 1, 12]
  )
  func nonFinite(further: Int) throws {
    var trainer = try Trainer(.named("exploding-regression"), stepsAfterNonFiniteLoss: further)
    let outcome = try trainer.train()
    let first = try #require(outcome.firstNonFiniteStep)
    #expect(outcome.reason == .nonFiniteLoss)
    #expect(outcome.stepCount == first + 1 + further)
    #expect(trainer.next() == nil)
  }

  /// Two linear layers on standardized data, one epoch of 64 samples.
  private func linear(batchSize: Int) throws -> Experiment {
    var experiment = try small()
    experiment.data = .regression(
      count: 64,
      features: 3,
      informative: 3,
      noise: 1,
      seed: 2,
      standardized: true
    )
    experiment.layers = [.dense(4, .tanh), .dense(1)]
    experiment.loss = .meanSquaredError
    experiment.updateRule = .adam(learningRate: 0.01)
    experiment.batchSize = batchSize
    experiment.epochs = 2
    return experiment
  }

  @Test("accumulated gradients, and those of ranks, are those of the large batch")
  func accumulation() throws {
    let large = try steps(linear(batchSize: 32))
    var accumulated = try linear(batchSize: 8)
    accumulated.accumulation = 4
    var ranks = try linear(batchSize: 8)
    (ranks.accumulation, ranks.rankCount) = (2, 2)
    for experiment in [accumulated, ranks] {
      let found = try steps(experiment)
      #expect(found.count == large.count && found.allSatisfy { $0.batchSize == 32 })
      for (found, expected) in zip(found, large) {
        expectClose([Double(found.loss)], [Double(expected.loss)], tolerance: 1e-6, "loss")
        for (found, expected) in zip(found.parametersAfter, expected.parametersAfter) {
          expectClose(
            found.elements.map { Double($0) },
            expected.elements.map { Double($0) },
            tolerance: 1e-5,
            "parameters"
          )
        }
      }
    }
    #expect(try steps(ranks)[0].shares.count == 2)
  }

  @Test("a loss scale changes no update, and one that overflows halves, skips, and grows again")
  func lossScaling() throws {
    let plain = try steps(linear(batchSize: 8))
    var scaled = try linear(batchSize: 8)
    scaled.lossScaling = LossScaling(initialScale: 256, growthInterval: 3)
    let found = try steps(scaled)
    #expect(found.prefix(7).map(\.lossScale) == [256, 256, 256, 512, 512, 512, 1024])
    #expect(found.allSatisfy { !$0.isSkipped })
    for (found, expected) in zip(found, plain) {
      for (found, expected) in zip(found.parametersAfter, expected.parametersAfter) {
        // What is below half precision's smallest number is lost.
        expectClose(
          found.elements.map { Double($0) },
          expected.elements.map { Double($0) },
          tolerance: 1e-4,
          "parameters"
        )
      }
    }

    scaled.lossScaling = LossScaling(initialScale: 0x1p30, growthInterval: 3)
    let overflowing = try steps(scaled)
    let first = try #require(overflowing.firstIndex { !$0.isSkipped })
    #expect(first > 5)
    for (index, step) in overflowing.prefix(first).enumerated() {
      #expect(step.lossScale == 0x1p30 / Double(1 << index))
      #expect(step.parametersAfter == step.parametersBefore)
    }
    #expect(overflowing[first].parametersAfter != overflowing[first].parametersBefore)
  }
}
