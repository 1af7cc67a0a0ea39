import Query
import Telemetry
import Testing

@Suite("What to try about a run")
struct RemedyPlanTests {
  private static let clip = "clip the global norm at 1.0 (usual: 0.5 to 5.0)"
  private static let rate = "lower the learning rate by 5 to 10 times"
  private static let initialization = "initialize weights with Kaiming (He)"

  private func actions(_ run: Case) -> [String] {
    run.diagnosis.roots.first?.remedies.map(\.action) ?? []
  }

  private func cautions(_ run: Case) -> [String] {
    run.diagnosis.roots.first?.cautions.map(\.action) ?? []
  }

  @Test("the cause's remedies come first, and what two findings advise is told once")
  func order() throws {
    var run = try Case()
    run.add("poor_initialization", at: 0, remedies: [Self.initialization, "scale the inputs"])
    run.add(
      "exploding_gradient",
      at: 1,
      remedies: [Self.clip, Self.rate, "initialize weights with Xavier", "scale the inputs"]
    )
    run.add("non_finite_gradient", at: 3, remedies: ["clip the global norm at 1.0, and skip steps"])
    #expect(actions(run) == [Self.initialization, "scale the inputs", Self.clip, Self.rate])
    #expect(cautions(run) == ["do not clip instead of initializing anew"])
  }

  @Test("a smaller learning rate is no remedy for vanishing, and clipping none for too much of it")
  func forbidden() throws {
    var run = try Case()
    run.add("vanishing_gradient", at: 0, remedies: ["replace sigmoid by ReLU"])
    run.add("loss_plateau", at: 50, .warning, remedies: [Self.rate, "look at the labels"])
    #expect(actions(run) == ["replace sigmoid by ReLU", "look at the labels"])
    #expect(cautions(run) == ["do not lower the learning rate"])

    run = try Case()
    run.add("clipping_every_step", at: 0, .warning, remedies: ["raise the threshold", Self.clip])
    #expect(actions(run) == ["raise the threshold"])
    #expect(cautions(run) == ["do not tighten the clipping"])
  }

  @Test("what the cause asks for first is not forbidden by a consequence")
  func rootPrevails() throws {
    var run = try Case()
    run.add("update_ratio_too_high", at: 0, remedies: [Self.rate])
    run.add("dead_relu", at: 5, layers: 0...7, remedies: [Self.rate])
    run.add("vanishing_gradient", at: 8, layers: 0...3, remedies: ["add residual connections"])
    #expect(run.trees == ["update_ratio_too_high [dead_relu [vanishing_gradient]]"])
    #expect(actions(run) == [Self.rate, "add residual connections"])
    #expect(cautions(run).isEmpty)
  }

  @Test("a rate that was raised is set back, whatever is else said of rates")
  func raisedRate() throws {
    let back = "set the learning rate back to 0.001"
    var run = try Case()
    run.add("uniformly_small_gradient", at: 3, remedies: [back, "check what scales the loss"])
    run.add("loss_plateau", at: 50, .warning, remedies: ["raise the learning rate by 3 times"])
    #expect(actions(run) == [back, "check what scales the loss"])
    #expect(cautions(run).isEmpty)
    run = try Case()
    run.add("loss_spike", at: 3, remedies: [back])
    run.add(
      "uniformly_small_gradient",
      at: 20,
      remedies: ["raise the learning rate until it moves"]
    )
    #expect(run.trees == ["loss_spike [uniformly_small_gradient]"])
    #expect(actions(run) == [back])
    #expect(cautions(run).isEmpty)
  }

  @Test("what undoes an earlier change is left out, and so is what only points to the cause")
  func opposites() throws {
    var run = try Case()
    run.add("dead_relu", at: 0, layers: 0...7, remedies: [Self.rate, "replace ReLU by GELU"])
    run.add(
      "loss_plateau",
      at: 10,
      .warning,
      remedies: [
        "follow the alert on the layers first", "raise the learning rate", "overfit a batch",
      ]
    )
    #expect(actions(run) == [Self.rate, "replace ReLU by GELU", "overfit a batch"])
  }

  @Test("normalization fits the batch, and a rate is told as it is", arguments: [8, 64])
  func fitted(batch: UInt64) throws {
    var run = try Case(hyperparameters: ["Batch_Size": "\(batch)", "optimizer": "AdamW"])
    run.history.learningRate = 0.25
    run.add(
      "dead_relu",
      at: 0,
      remedies: [Self.rate, "add batch normalization before the activation (layer or group …)"]
    )
    let remedies = try #require(run.diagnosis.roots.first?.remedies)
    #expect(remedies[0].reason == "reason; it is 0.25 now, with AdamW")
    #expect(
      remedies[1].action
        == (batch < 16
          ? "add group or layer normalization before the activation"
          : "add batch normalization before the activation")
    )
  }

  @Test("a long list ends after eight changes")
  func bounded() throws {
    var run = try Case()
    run.add("loss_plateau", at: 0, remedies: (0..<30).map { "try number \($0)" })
    #expect(actions(run) == (0..<8).map { "try number \($0)" })
  }
}
