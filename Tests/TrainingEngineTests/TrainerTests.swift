import Testing
import TrainingEngine

@Suite("Training")
struct TrainerTests {
  /// Three epochs of 50 samples in batches of 16: 4 batches an epoch, the last one of 2.
  private var small: Experiment {
    var experiment = Experiment.sigmoidMoons
    experiment.data = .moons(count: 50, noise: 0.2, seed: 5)
    experiment.batchSize = 16
    experiment.epochs = 3
    return experiment
  }

  private func steps(_ experiment: Experiment) -> [TrainingStep] {
    Array(IteratorSequence(Trainer(experiment)))
  }

  @Test("an epoch is all samples once, the last batch what is left")
  func batches() {
    let steps = steps(small)
    #expect(small.stepCount == 12)
    #expect(steps.map(\.index) == Array(0..<12))
    #expect(steps.map(\.epoch) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    #expect(steps.map(\.batchSize) == [16, 16, 16, 2, 16, 16, 16, 2, 16, 16, 16, 2])
    #expect(steps.allSatisfy { $0.activations[0].shape == [$0.batchSize, 10] })
  }

  @Test("every epoch sees every sample once, in another order")
  func order() {
    // A linear unit of weights 1 that never learns: its output is the sum of the two coordinates.
    var experiment = small
    experiment.layers = [.dense(1, .linear, .randomUniform(1, 1)), .dense(1, .sigmoid, .zeros)]
    experiment.updateRule = .sgd(learningRate: 0)
    let steps = steps(experiment)
    let epochs = (0..<3).map { epoch in
      steps.filter { $0.epoch == epoch }.flatMap(\.activations[0].elements)
    }
    let inputs = experiment.data.makeDataset().inputs.elements
    let sums: [Float] = (0..<50).map { sample in inputs[2 * sample] + inputs[2 * sample + 1] }
    for epoch in epochs { #expect(epoch.sorted() == sums.sorted()) }
    #expect(epochs[0] != epochs[1] && epochs[1] != epochs[2])
  }

  @Test("a step shows the parameters before and after the update that its gradients made")
  func parameters() {
    var experiment = small
    experiment.updateRule = .sgd(learningRate: 0.5)
    let steps = steps(experiment)
    for step in steps {
      #expect(step.learningRate == 0.5)
      for index in step.gradients.indices {
        let (before, gradient) = (step.parametersBefore[index], step.gradients[index])
        let expected = zip(before.elements, gradient.elements).map { $0 - 0.5 * $1 }
        #expect(step.parametersAfter[index].elements == expected)
      }
    }
    for (step, next) in zip(steps, steps.dropFirst()) {
      #expect(step.parametersAfter == next.parametersBefore)
    }
    #expect(steps[0].parametersBefore == Trainer(experiment).network.parameters.map(\.value))
  }

  @Test("the global norm is over all gradients, and finite if they are")
  func globalNorm() throws {
    let step = try #require(steps(small).first)
    let squares = step.gradients.flatMap(\.elements).map { Double($0) * Double($0) }
    expectClose(
      [step.globalGradientNorm()],
      [squares.reduce(0, +).squareRoot()],
      tolerance: 1e-12,
      "norm"
    )
    let late = try #require(steps(.explodingRegression).first { $0.index == 3 })
    #expect(!late.loss.isFinite && late.globalGradientNorm() > 1e20)
    #expect(late.globalGradientNorm().isFinite)
  }

  @Test("the same seed gives the same bits, another seed other ones")
  func seeds() {
    var experiment = Experiment.reluMoons
    experiment.epochs = 2
    let (first, second) = (steps(experiment), steps(experiment))
    experiment.seed += 1
    let other = steps(experiment)
    #expect(first.map(\.loss.bitPattern) == second.map(\.loss.bitPattern))
    #expect(first.last?.parametersAfter == second.last?.parametersAfter)
    #expect(first[0].loss != other[0].loss)
    #expect(first[0].parametersBefore != other[0].parametersBefore)
  }

  @Test("every observer sees every step, also the one at which another asks to stop")
  func observers() throws {
    var (seen, alsoSeen): ([Int], [Int]) = ([], [])
    var trainer = Trainer(small)
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
  func throwingObserver() {
    struct Full: Error {}
    var trainer = Trainer(small)
    #expect(throws: Full.self) {
      try trainer.train(observers: [
        { step in if step.index == 2 { throw Full() } else { .proceed } }
      ])
    }
    #expect(trainer.next()?.index == 3)
  }

  @Test("a finite run ends with its last epoch")
  func completion() throws {
    var trainer = Trainer(small)
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
    var trainer = Trainer(.explodingRegression, stepsAfterNonFiniteLoss: further)
    let outcome = try trainer.train()
    let first = try #require(outcome.firstNonFiniteStep)
    #expect(outcome.reason == .nonFiniteLoss)
    #expect(outcome.stepCount == first + 1 + further)
    #expect(trainer.next() == nil)
  }
}
