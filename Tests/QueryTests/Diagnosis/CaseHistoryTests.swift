import Query
import RunStore
import Telemetry
import Testing

@Suite("What a diagnosis is made from")
struct CaseHistoryTests {
  private let run = RunID(stored: "run-1")

  private func store(_ change: (inout FakeRunStore) -> Void = { _ in }) throws -> FakeRunStore {
    var store = try FakeRunStore.run(lastStep: 499)
    store.scalars = (0..<500 as Range<UInt64>).map { step in
      var scalars = StepScalars(step: step, wallTime: WallTime(clamping: 1))
      scalars.losses = [NamedLoss(name: "loss", value: abs(Double(step) - 400) + 1)]
      return scalars
    }
    store.slices = [SeriesSlice(steps: Array(0..<500), values: Array(repeating: 1, count: 500))]
    change(&store)
    return store
  }

  private func read(_ store: FakeRunStore) throws -> CaseHistory {
    try CaseHistory(run: run, rules: Case.rules.map(RuleID.init), store: store)
  }

  private func blind(_ store: FakeRunStore) throws -> [String] {
    Diagnosis(of: try read(store)).blindSpots.map { spot in
      "\(spot.columns.map(\.rawValue)): \(spot.rules.map(\.rawValue))"
    }
  }

  @Test("the course of the loss is read from all steps")
  func loss() throws {
    var history = try read(try store())
    #expect(history.stepCount == 500)
    #expect(history.lastStep == 499)
    #expect(history.loss?.first == 401)
    #expect(history.loss?.best == 1)
    #expect(history.loss?.bestStep == 400)
    #expect(history.loss?.last == 100)
    #expect(history.loss?.firstNonFiniteStep == nil)
    history = try read(
      try store { store in
        store.scalars[450].losses[0].value = .nan
        store.scalars[499].losses[0].value = -.infinity
      }
    )
    #expect(history.loss?.best == 1)
    #expect(history.loss?.last == -.infinity)
    #expect(history.loss?.firstNonFiniteStep == 450)
  }

  @Test("a column that was never sent blinds the rules that need it, and no others")
  func blindSpots() throws {
    let histograms = "[\"histograms\"]: [\"gradient_long_tail\", \"gradient_underflow\"]"
    #expect(try blind(try store()) == [histograms])
    #expect(
      try blind(try store { $0.metrics.remove(.updateNorm) }) == [
        "[\"parameters.update_norm\"]: "
          + "[\"unchanged_weights\", \"update_ratio_too_high\", \"update_ratio_too_low\"]",
        histograms,
      ]
    )
    // One of several columns is enough.
    #expect(
      try blind(
        try store { store in
          store.metrics.remove(.gradientNaNCount)
          for step in 0..<500 { store.scalars[step].globalNorm = nil }
        }
      ) == [histograms]
    )
    #expect(
      try blind(try store { store in for step in 0..<500 { store.scalars[step].losses = [] } })
        .first?.hasPrefix("[\"losses\"]: [\"loss_divergence\",") == true
    )
  }

  @Test("what a model does not have, no rule misses")
  func inapplicable() throws {
    let store = try store { store in
      store.metrics.remove(.activationSaturatedFraction)
      store.runModel = try? Model(
        layers: [Layer(name: "fc", activation: "relu")],
        tensors: [Tensor(name: "fc.weight", layer: 0, role: .weight, elementCount: 8)]
      )
    }
    #expect(try !blind(store).contains { $0.contains("saturated_activation") })
    let unknown = try self.store { $0.metrics.remove(.activationSaturatedFraction) }
    #expect(try blind(unknown).contains { $0.contains("saturated_activation") })
  }

  @Test("a column that only the last steps have was sent")
  func lateColumns() throws {
    let store = try store {
      $0.slices = [SeriesSlice(steps: Array(450..<500), values: Array(repeating: 1, count: 50))]
    }
    #expect(try read(store).columns.values.first?.contains(.parameterNorm) == true)
  }

  @Test("all alerts but pending ones are read, over all pages")
  func alerts() throws {
    var run = try Case(steps: 5000)
    for step in 0..<2500 as Range<UInt64> {
      run.add("gradient_spike", at: step, .warning, resolved: step + 5)
    }
    run.history.alerts[7].state = .pending
    let alerts = run.history.alerts
    let history = try read(try store { $0.storedAlerts = alerts.reversed() })
    #expect(history.alerts.count == 2499)
    #expect(history.omittedAlertCount == 0)
  }

  @Test("of too many alerts the latest are left out, and counted")
  func tooMany() throws {
    var run = try Case(steps: 20_000)
    for step in 0..<10_500 as Range<UInt64> {
      run.add("gradient_spike", at: step, .warning, resolved: step)
    }
    let alerts = run.history.alerts
    let history = try read(try store { $0.storedAlerts = alerts.reversed() })
    #expect(history.alerts.count == 10_000)
    #expect(history.alerts.map(\.firstStep).max() == 9999)
    #expect(Diagnosis(of: history).omittedAlertCount == 500)
  }

  @Test("a store that can't read, and an unknown run, are errors that say so")
  func failures() throws {
    let failure = RunStoreError.damaged(place: "here", detail: "bad")
    #expect(throws: QueryError.store(failure)) { try read(try store { $0.failure = failure }) }
    let other = RunID(stored: "other")
    #expect(throws: QueryError.store(.unknownRun(other))) {
      try CaseHistory(run: other, rules: [], store: try store())
    }
  }
}
