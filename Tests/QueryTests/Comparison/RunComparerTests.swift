import Query
import RunStore
import Telemetry
import Testing

@Suite("Two runs side by side")
struct RunComparerTests {
  @Test("runs that are the same are identical bit for bit, to the last common step")
  func identical() throws {
    var runs = try ComparedRuns(steps: 50)
    runs.a.reports[7].gradients.norm[2] = .nan
    runs.b.reports[7].gradients.norm[2] = .nan
    let (run, layers) = try runs.compare()
    #expect(run.identicalUntilStep == 49)
    #expect(run.firstDifferenceStep == nil)
    #expect(run.firstParting == nil && run.partedLayerCount == 0)
    #expect(run.commonStepCount == 50)
    #expect(run.summary == "Identical bit for bit in 50 common steps")
    #expect(layers.map(\.name) == ["in", "hidden", "out"])
    #expect(layers.allSatisfy { $0.pointsA.steps == $0.pointsB.steps })
  }

  @Test("one seed, then a fault in one layer: that layer, that step, and how far")
  func fault() throws {
    var runs = try ComparedRuns(steps: 60)
    for step in 30..<60 { runs.b.reports[step].gradients.norm[2] = 300 }
    // A bit of noise elsewhere, from a little before.
    for step in 28..<60 { runs.b.reports[step].gradients.norm[0] += 1e-4 }
    let (run, layers) = try runs.compare()
    #expect(run.identicalUntilStep == 27)
    #expect(run.firstDifferenceStep == 28)
    #expect(run.firstDifferences == ["in.weight"])
    let first = try #require(run.firstParting)
    #expect(first.name == "hidden")
    #expect(first.parting.step == 30)
    // The L2 norm over weight and bias.
    #expect(first.parting.a == 5)
    #expect(abs((first.parting.b ?? 0) - 300.027) < 0.01)
    #expect(run.partedLayerCount == 1)
    #expect(layers.map { $0.parting?.step } == [nil, 30, nil])
    #expect(
      run.summary
        == "They part at step 30 in hidden: its gradient norm is 60 times as large in b as "
        + "in a. Identical bit for bit up to step 27"
    )
  }

  @Test("of several layers that part at one step the one that is furthest apart is named")
  func furthest() throws {
    var runs = try ComparedRuns(steps: 20)
    for step in 10..<20 {
      runs.a.reports[step].gradients.norm = [10, 10, 4000, 10, 10, 10]
    }
    let (run, _) = try runs.compare()
    #expect(run.firstParting?.name == "hidden")
    #expect(run.partedLayerCount == 2, "10 is less than twice 7.8")
    #expect(run.summary.contains("in a as in b; 2 of 3 layers part. "))
    // What is not finite spreads backwards: the last layer is where it began.
    for step in 10..<20 {
      runs.a.reports[step].gradients.norm = [.nan, .nan, .nan, .nan, 10, 10]
    }
    let (spread, _) = try runs.compare()
    #expect(spread.firstParting?.name == "hidden")
    #expect(spread.firstParting?.parting.kind == .nonFinite)
    #expect(spread.summary.contains("its gradient norm is NaN in a and finite in b"))
  }

  @Test("a step that a loss scaler skipped has NaN by design")
  func skipped() throws {
    var runs = try ComparedRuns(steps: 20)
    runs.b.reports[9].gradients.norm = Array(repeating: .infinity, count: 6)
    #expect(try runs.compare().run.firstParting?.parting.step == 9)
    runs.b.reports[9].scalars.optimizerSkipped = true
    let (run, _) = try runs.compare()
    #expect(run.firstParting == nil)
    #expect(run.firstDifferenceStep == 9)
  }

  @Test("a layer that is frozen in one run parts; one that is measured more rarely does not")
  func presence() throws {
    var runs = try ComparedRuns(steps: 40)
    for step in 20..<40 {
      runs.b.reports[step].gradients.tensorIDs = [0, 1, 4, 5]
      runs.b.reports[step].gradients.norm = [1, 2, 5, 6]
    }
    let (frozen, _) = try runs.compare()
    #expect(frozen.firstParting?.name == "hidden")
    #expect(frozen.firstParting?.parting.step == 20)
    #expect(frozen.firstParting?.parting.kind == .presence)
    #expect(frozen.summary.contains("its gradient norm is measured in a only. "))

    runs = try ComparedRuns(steps: 40)
    for step in 0..<40 where step % 10 != 0 { runs.b.reports[step].gradients.norm = [] }
    let (rare, layers) = try runs.compare()
    #expect(rare.firstParting == nil)
    #expect(layers[0].pointsA.steps.count == 40)
    #expect(layers[0].pointsB.steps == [0, 10, 20, 30])

    runs = try ComparedRuns(steps: 40)
    for step in 20..<40 {
      runs.b.reports[step].gradients.tensorIDs = [0, 1, 2, 4, 5]
      runs.b.reports[step].gradients.norm = [1, 2, 3, 5, 6]
    }
    let (partly, _) = try runs.compare()
    #expect(partly.firstParting?.name == "hidden")
    #expect(
      partly.summary.contains("its gradient norm is measured of other tensors in a than in b. ")
    )
  }

  @Test("tensors are aligned by name, layers without one in common by their own")
  func alignment() throws {
    var runs = try ComparedRuns(steps: 10)
    // Layer 1 is renamed with its tensors; the others come in another order.
    runs.b.model = try Model(
      layers: [Layer(name: "out"), Layer(name: "extra"), Layer(name: "in")],
      tensors: [
        Tensor(name: "in.weight", layer: 2, role: .weight, shape: [4, 3], elementCount: 12),
        Tensor(name: "in.bias", layer: 2, role: .bias, elementCount: 3),
        Tensor(name: "extra.weight", layer: 1, role: .weight, elementCount: 12),
        Tensor(name: "extra.bias", layer: 1, role: .bias, elementCount: 3),
        Tensor(name: "out.kernel", layer: 0, role: .weight, elementCount: 12),
        Tensor(name: "out.offset", layer: 0, role: .bias, elementCount: 3),
      ]
    )
    let (run, layers) = try runs.compare()
    #expect(layers.map(\.name) == ["in", "out"])
    #expect(layers.map(\.a) == [0, 2])
    #expect(layers.map(\.b) == [2, 0])
    #expect(run.identicalUntilStep == 9)
    #expect(
      run.a.ownTensors == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    )
    #expect(run.a.ownLayers == ["hidden"])
    #expect(run.b.ownLayers == ["extra"])
    #expect(
      run.model.map(\.name) == [
        "in module type", "in activation", "out module type", "out activation", "in.weight shape",
      ]
    )
    #expect(run.model.last?.a == "3 x 4" && run.model.last?.b == "4 x 3")
    #expect(run.model[0].b == nil)
  }

  @Test("runs of different lengths and steps are compared where both have a step")
  func lengths() throws {
    var runs = try ComparedRuns(steps: 100)
    runs.b.reports = runs.b.reports.filter { (10..<60).contains($0.step) && $0.step % 2 == 0 }
    let (run, layers) = try runs.compare()
    #expect(run.commonStepCount == 25)
    #expect([run.firstCommonStep, run.lastCommonStep] == [10, 58])
    #expect(run.a.ownStepCount == 75 && run.b.ownStepCount == 0)
    #expect(run.a.lastStep == 99 && run.b.lastStep == 58)
    #expect(
      run.summary == "Identical bit for bit in 25 common steps, b ends at step 58, a goes on to 99"
    )
    #expect(layers[0].pointsA.steps.count == 100)
    let (some, _) = try runs.compare { $0.steps = 20...29 }
    #expect(some.commonStepCount == 5)
    #expect(some.a.stepCount == 10)
  }

  @Test("points are downsampled over the same ranges of steps, without losing a spike or a NaN")
  func points() throws {
    var runs = try ComparedRuns(steps: 100)
    runs.a.reports[37].gradients.norm[0] = 1e6
    runs.b.reports.removeAll { (40..<50).contains($0.step) }
    runs.b.reports[12].gradients.norm[1] = .nan
    let (_, layers) = try runs.compare { $0.maximumPoints = 10 }
    let (a, b) = (layers[0].pointsA, layers[0].pointsB)
    #expect(a.steps == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90])
    #expect(b.steps == [0, 10, 20, 30, 50, 60, 70, 80, 90])
    #expect(a.max[3] > 9e5)
    #expect(b.nonFiniteCount == [0, 1, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test("other seeds do not part; a fault in one of them does")
  func seeds() throws {
    var runs = try ComparedRuns(steps: 300)
    for step in 0..<300 {
      // Scatter up to 1.5 between two steps, and a level of 1.4.
      let factor = 1.4 + 0.3 * Float((step * 7919) % 11) / 11
      runs.b.reports[step].gradients.norm = runs.b.reports[step].gradients.norm.map { $0 * factor }
      runs.b.reports[step].scalars.losses[0].value *= 1.1
    }
    let (healthy, _) = try runs.compare()
    #expect(healthy.identicalUntilStep == nil)
    #expect(healthy.firstDifferenceStep == 0)
    #expect(healthy.firstParting == nil)
    #expect(
      healthy.summary
        == "No layer parts in 300 common steps. Different from the first common step, 0, "
        + "on"
    )
    for step in 200..<300 { runs.b.reports[step].gradients.norm[4] *= 50 }
    let (faulty, _) = try runs.compare()
    #expect(faulty.firstParting?.name == "out")
    #expect(faulty.firstParting?.parting.step == 200)
  }

  @Test("losses part by the same rule, with the course of each run")
  func losses() throws {
    var runs = try ComparedRuns(steps: 30)
    for step in 20..<30 { runs.b.reports[step].scalars.losses[0].value = 40 }
    runs.b.reports[29].scalars.losses.append(NamedLoss(name: "extra", value: .nan))
    let (run, _) = try runs.compare()
    #expect(run.losses.map(\.name) == ["loss", "extra"])
    let loss = run.losses[0]
    #expect(loss.parting?.step == 20)
    #expect(loss.a?.bestStep == 29 && loss.b?.bestStep == 19)
    #expect(loss.b?.last == 40)
    #expect(run.losses[1].a == nil)
    #expect(run.losses[1].b?.firstNonFiniteStep == 29)
    #expect(run.firstDifferences == ["loss"])
    #expect(run.summary.hasPrefix("No layer parts in 30 common steps, but loss does at step 20. "))
  }

  @Test("a loss that one run logs rarely is compared where both have it", arguments: [true, false])
  func rareLoss(isRareInA: Bool) throws {
    var runs = try ComparedRuns(steps: 80)
    for step in 50..<80 { runs.b.reports[step].scalars.losses[0].value = 40 }
    for step in 0..<80 where step % 10 != 0 {
      if isRareInA {
        runs.a.reports[step].scalars.losses = []
      } else {
        runs.b.reports[step].scalars.losses = []
      }
    }
    let parting = try runs.compare().run.losses[0].parting
    #expect(parting?.step == 50)
    #expect(parting?.kind == .ratio)
  }

  @Test("what differs in settings is named, with the first step if it changes on the way")
  func settings() throws {
    var runs = try ComparedRuns(steps: 30)
    runs.a.hyperparameters = ["lr": "0.1", "seed": "1", "same": "x"]
    runs.b.hyperparameters = ["lr": "0.1", "seed": "2", "depth": "3", "same": "x"]
    for step in 12..<30 { runs.b.reports[step].scalars.learningRate = 0.01 }
    for step in 5..<30 { runs.a.reports[step].scalars.batchSize = 64 }
    let (run, _) = try runs.compare()
    #expect(run.hyperparameters.map(\.name) == ["depth", "seed"])
    #expect(run.hyperparameters.map(\.a) == [nil, "1"])
    #expect(run.hyperparameters.map(\.b) == ["3", "2"])
    #expect(run.stepSettings.map(\.name) == ["batch_size", "learning_rate"])
    #expect(run.stepSettings.map(\.firstStep) == [5, 12])
    #expect(run.stepSettings.map(\.a) == [64, 0.1])
    #expect(run.stepSettings.map(\.b) == [nil, 0.01])
  }

  @Test("alerts stand side by side by rule: in a, in b or in both, the earliest first")
  func alerts() throws {
    func alert(
      _ rule: String,
      _ step: UInt64,
      _ severity: Severity = .warning,
      _ scope: AlertScope = .layers(1...1)
    ) -> Alert {
      var evidence = Evidence(quantity: "", observed: 1, firstStep: step, lastStep: step)
      evidence.layers = ["hidden"]
      var alert = Alert(
        run: RunID(stored: "a"),
        producer: ProducerID(stored: "p0"),
        rule: RuleID(rule),
        severity: severity,
        scope: scope,
        summary: "",
        cause: "",
        confidence: 1,
        evidence: evidence,
        remedies: [],
        firstStep: step,
        startedAt: WallTime(clamping: 1)
      )
      (alert.state, alert.firedStep) = (.firing, step)
      return alert
    }
    var runs = try ComparedRuns(steps: 30)
    var rewound = alert("rewound", 1)
    rewound.evidence.facts = ["resolution": "rewound"]
    runs.a.alerts = [alert("both", 9, .critical), alert("both", 7), rewound]
    var bare = alert("tensor", 28, .warning, .tensor(4))
    bare.evidence.layers = []
    runs.b.alerts = [alert("both", 8), alert("mine", 3), alert("run", 27, .warning, .run), bare]
    let rules = try runs.compare().run.rules
    #expect(rules.map(\.rule.rawValue) == ["mine", "both", "run", "tensor"])
    #expect(rules[2].b?.layers == [])
    #expect(rules[3].b?.layers == ["out"])
    #expect(rules[0].a == nil)
    #expect(rules[1].a?.count == 2)
    #expect(rules[1].a?.severity == .critical)
    #expect(rules[1].a?.firstStep == 7)
    #expect(rules[1].a?.layers == ["hidden"])
    #expect(rules[1].b?.severity == .warning)
  }

  @Test("only some layers, another metric, and no more layers than asked for")
  func options() throws {
    var runs = try ComparedRuns(steps: 30)
    for step in 10..<30 { runs.b.reports[step].gradients.mean[4...5] = [-5, -6] }
    #expect(try runs.compare().run.identicalUntilStep == 29)
    let (means, _) = try runs.compare { $0.metric = .gradientMean }
    #expect(means.firstParting?.name == "out")
    // By element: (5 * 12 + 6 * 3) / 15.
    #expect(means.firstParting?.parting.a == 5.2)
    #expect(means.firstParting?.parting.b == -5.2)
    #expect(means.firstParting?.parting.step == 10)
    let (one, layers) = try runs.compare { $0.maximumLayers = 1 }
    #expect(layers.map(\.name) == ["in"])
    #expect(one.omittedLayerCount == 2)
    let chosen = try runs.compare { $0.selector = TensorSelector(layer: "o*") }.layers
    #expect(chosen.map(\.name) == ["out"])
  }

  @Test("runs that have nothing to compare say what is missing")
  func errors() throws {
    let (a, b) = (RunID(stored: "a"), RunID(stored: "b"))
    var runs = try ComparedRuns(steps: 10)
    runs.b.reports = (20..<30).map { ComparedRuns.report($0) }
    #expect(throws: QueryError.noCommonStep(a, b)) { try runs.compare() }
    #expect(throws: QueryError.noCommonStep(a, b)) { try runs.compare { $0.steps = 90...99 } }
    runs.b.model = try ComparedRuns.model(["x", "y", "z"])
    #expect(throws: QueryError.noCommonTensor(a, b)) { try runs.compare() }
    runs.b.reports = []
    runs.b.model = runs.a.model
    #expect(throws: QueryError.noCommonStep(a, b)) { try runs.compare() }
    let reader = try RunReader(run: RunID(stored: "run-1"), store: try FakeRunStore.run())
    #expect(throws: QueryError.sameRun(RunID(stored: "run-1"), ProducerID(stored: "p0"))) {
      try RunComparer(a: reader, b: reader, options: ComparisonOptions())
    }
  }
}
