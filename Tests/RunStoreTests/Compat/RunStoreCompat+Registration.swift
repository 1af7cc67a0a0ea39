import RunStore
import Telemetry
import Testing

extension RunStoreCompat {
  func aRegisteredRunIsReadBackWhole() throws {
    let store = try open()
    let registration = try Samples.registration()
    let registered = try store.register(registration, at: Samples.time(50.25))
    let expected = RunRecord(
      run: run,
      project: "project",
      name: "name of r1",
      tags: ["b", "a"],
      hyperparameters: ["lr": "0.1"],
      framework: "torch 2.13.0",
      status: .running,
      statusReason: "",
      createdAt: Samples.time(50.25),
      finishedAt: nil,
      layerCount: 3,
      tensorCount: 5,
      producers: [ProducerRecord(producer: registration.producer)],
      openAlerts: [:]
    )
    #expect(registered.run == expected)
    #expect(registered.producer == ProducerRecord(producer: registration.producer))
    #expect(try store.run(run) == expected)
    #expect(try store.model(of: run) == registration.model)
    try store.close()
  }

  func aModelIsReadBackWhole() throws {
    let model = try Model(
      layers: [
        Layer(name: "a"),
        Layer(
          name: "ü",
          moduleType: "Conv",
          activation: "relu",
          normalization: "none",
          isResidual: true,
          fanIn: 0,
          fanOut: .max
        ),
        Layer(name: "c", isResidual: false),
      ],
      tensors: [
        Tensor(name: "scalar", layer: 0, role: .unspecified, elementCount: 1),
        Tensor(
          name: "w",
          layer: 1,
          role: .recurrent,
          shape: [3, 1, 7],
          elementCount: 21,
          initialization: "glorot_uniform",
          isTrainable: false,
          tiedTo: 0
        ),
      ]
    )
    let store = try open()
    _ = try store.register(Samples.registration(model: model), at: Samples.time(1))
    #expect(try store.model(of: run) == model)
    let empty = try Model(layers: [], tensors: [])
    _ = try store.register(Samples.registration(run: "empty", model: empty), at: Samples.time(1))
    #expect(try store.model(of: RunID("empty")) == empty)
    try store.close()
  }

  func registeringAgainResumes() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try commitPlain(1...3, step: 10, to: store)
    _ = try store.commit([
      .refusal(run: run, producer: producer, sequence: 4),
      .finish(run: run, status: .failed, reason: "out of memory", at: Samples.time(9)),
    ])
    let finished = try #require(try store.run(run))
    #expect(finished.status == .failed)
    #expect(finished.statusReason == "out of memory")
    #expect(finished.finishedAt == Samples.time(9))

    var again = try Samples.registration()
    again.name = "new name"
    again.tags = ["c"]
    again.hyperparameters = [:]
    again.framework = "jax"
    again.project = "other"
    again.producer.rank = nil
    let registered = try store.register(again, at: Samples.time(20))
    #expect(registered.run.name == "new name")
    #expect(registered.run.tags == ["c"])
    #expect(registered.run.hyperparameters == [:])
    #expect(registered.run.framework == "torch 2.13.0")
    #expect(registered.run.project == "project")
    #expect(registered.run.status == .running)
    #expect(registered.run.statusReason == "")
    #expect(registered.run.finishedAt == nil)
    #expect(registered.run.createdAt == Samples.time(1))
    #expect(
      registered.producer
        == ProducerRecord(
          producer: again.producer,
          lastSequence: 4,
          lastStep: 12,
          lastReceivedAt: Samples.time(2e9 + 3.0 / 8)
        )
    )
    #expect(registered.run == (try store.run(run)))
    try store.close()
  }

  func labelsStayIfALaterRegistrationHasNone() throws {
    let store = try open()
    let first = try store.register(Samples.registration(), at: Samples.time(1)).run
    // What a second rank may know: its run, itself and the model.
    var rank = try Samples.registration()
    rank.producer = Producer(id: try ProducerID("rank 1"), rank: 1, worldSize: 2)
    (rank.project, rank.name, rank.framework) = ("default", "", "")
    (rank.tags, rank.hyperparameters) = ([], [:])
    var expected = first
    expected.producers.append(ProducerRecord(producer: rank.producer))
    expected.producers.sort { $0.producer.id.rawValue < $1.producer.id.rawValue }
    #expect(try store.register(rank, at: Samples.time(2)).run == expected)
    rank.tags = ["c"]
    (expected.name, expected.tags, expected.hyperparameters) = ("", ["c"], [:])
    #expect(try store.register(rank, at: Samples.time(3)).run == expected)
    #expect(try store.run(run) == expected)
    try store.close()
  }

  func anotherModelIsRefusedNamingTheField() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    let model = try Samples.model()
    func expectRefusal(
      _ field: String,
      _ expected: String,
      _ found: String,
      layers: [Layer]? = nil,
      tensors: [Tensor]? = nil
    ) throws {
      let other = try Model(layers: layers ?? model.layers, tensors: tensors ?? model.tensors)
      #expect(
        throws: RunStoreError.modelDiffers(
          run: run,
          field: field,
          expected: expected,
          found: found
        )
      ) { try store.register(Samples.registration(model: other), at: Samples.time(2)) }
    }
    var tensors = model.tensors
    tensors[3].shape = [3, 2]
    try expectRefusal("model.tensors[3].shape", "[2, 3]", "[3, 2]", tensors: tensors)
    tensors = model.tensors
    tensors[4].tiedTo = 0
    try expectRefusal("model.tensors[4].tied_to", "none", "0", tensors: tensors)
    tensors[1].name = "other"
    try expectRefusal("model.tensors[1].name", "layer1.tensor1", "other", tensors: tensors)
    var layers = model.layers
    layers[2].activation = "relu"
    try expectRefusal("model.layers[2].activation", "none", "relu", layers: layers)
    layers[0].fanIn = 5
    try expectRefusal("model.layers[0].fan_in", "4", "5", layers: layers)
    try expectRefusal(
      "model.layers",
      "3 layers",
      "4 layers",
      layers: model.layers + [Layer(name: "fourth")]
    )
    try expectRefusal(
      "model.tensors",
      "5 tensors",
      "4 tensors",
      tensors: Array(model.tensors.dropLast())
    )
    #expect(try store.model(of: run) == model)
    try store.close()
  }

  func anotherProducerJoinsTheRun() throws {
    let store = try open()
    _ = try store.register(Samples.registration(producer: "p1"), at: Samples.time(1))
    let second = try store.register(Samples.registration(producer: "p0"), at: Samples.time(2))
    #expect(second.run.producers.map(\.producer.id.rawValue) == ["p0", "p1"])
    #expect(second.producer.producer.id.rawValue == "p0")
    _ = try store.commit([report(Samples.plain(1, step: 5), producer: "p1")])
    let found = try #require(try store.run(run))
    #expect(found.producers.map(\.lastSequence) == [0, 1])
    #expect(found.lastStep == 5)
    try store.close()
  }

  func runsAreListedNewestFirstInPages() throws {
    let store = try open()
    for index in 1...7 {
      _ = try store.register(
        Samples.registration(run: "r\(index)", project: index % 2 == 0 ? "even" : "odd"),
        at: Samples.time(Double(index))
      )
    }
    _ = try store.commit([
      .finish(run: RunID("r4"), status: .finished, reason: "", at: Samples.time(9)),
      .finish(run: RunID("r5"), status: .finished, reason: "", at: Samples.time(9)),
    ])
    // Registering again makes a run no newer.
    _ = try store.register(Samples.registration(run: "r2"), at: Samples.time(30))
    func list(_ filter: RunFilter, size: Int = 2) throws -> [[String]] {
      var pages: [[String]] = []
      var request = PageRequest(size: size)
      repeat {
        let page = try store.runs(filter, page: request)
        pages.append(page.items.map(\.run.rawValue))
        request.after = page.next
      } while request.after != nil
      return pages
    }
    #expect(try list(RunFilter()) == [["r7", "r6"], ["r5", "r4"], ["r3", "r2"], ["r1"]])
    #expect(try list(RunFilter(), size: 7) == [["r7", "r6", "r5", "r4", "r3", "r2", "r1"]])
    #expect(try list(RunFilter(project: "even")) == [["r6", "r4"], ["r2"]])
    #expect(try list(RunFilter(status: .finished)) == [["r5", "r4"]])
    #expect(try list(RunFilter(project: "even", status: .running)) == [["r6", "r2"]])
    #expect(try list(RunFilter(createdSince: Samples.time(6))) == [["r7", "r6"]])
    #expect(try list(RunFilter(project: "none")) == [[]])
    // A page of runs with megabytes of hyperparameters has fewer than were asked for, and one at least.
    for index in 8...12 {
      let registration = try RunRegistration(
        run: RunID("r\(index)"),
        project: "large",
        hyperparameters: Dictionary(
          uniqueKeysWithValues: (0..<100).map { ("\($0)", String(repeating: "x", count: 9_000)) }
        ),
        producer: Producer(id: producer),
        model: Samples.model()
      )
      _ = try store.register(registration, at: Samples.time(Double(index)))
    }
    #expect(
      try list(RunFilter(project: "large"), size: 100) == [["r12", "r11"], ["r10", "r9"], ["r8"]]
    )
    _ = try store.deleteRun(RunID("r12"), evenIfRunning: true)
    for index in 8...11 { _ = try store.deleteRun(RunID("r\(index)"), evenIfRunning: true) }
    let page = try store.runs(RunFilter(), page: PageRequest(size: 1))
    #expect(page.items.first == (try store.run(RunID("r7"))))
    try store.close()
  }

  func whatIsUnknownIsSaid() throws {
    let store = try open()
    let unknown = try RunID("unknown")
    #expect(try store.run(unknown) == nil)
    #expect(try store.model(of: unknown) == nil)
    #expect(try store.alert(AlertID("unknown")) == nil)
    #expect(try store.lastCursor() == .start)
    #expect(try store.transitions(after: .start, limit: 10, damaged: { _ in }) == [])
    #expect(try store.sealNext() == false)
    #expect(try store.commit([]) == [])
    let plain = RunChange.AcceptedReport(
      run: unknown,
      producer: producer,
      report: Samples.plain(1, step: 0),
      receivedAt: Samples.time(1)
    )
    let changes: [RunChange] = [
      .report(plain), .refusal(run: unknown, producer: producer, sequence: 1),
      .finish(run: unknown, status: .finished, reason: "", at: Samples.time(1)),
      .snapshot(run: unknown, producer: producer, sequence: 0, state: []),
      .transitions([Samples.transition(Samples.alert(run: "unknown"))]),
    ]
    for change in changes {
      #expect(throws: RunStoreError.unknownRun(unknown)) { try store.commit([change]) }
    }
    let all = 0...Step.maximum
    let error = RunStoreError.unknownRun(unknown)
    #expect(throws: error) {
      try store.readSeries(
        SeriesSelection(run: unknown, producer: producer, metric: .gradientNorm, index: 0)
      ) { _ in true }
    }
    #expect(throws: error) {
      try store.readHistograms(
        of: unknown,
        producer: producer,
        tensor: 0,
        steps: all,
        maximumSpan: 1
      ) { _ in true }
    }
    #expect(throws: error) {
      try store.readScalars(of: unknown, producer: producer, steps: all) { _ in true }
    }
    #expect(throws: error) { try store.stepCount(of: unknown, producer: producer) }
    #expect(throws: error) { try store.firstStep(of: unknown, producer: producer) }
    #expect(throws: error) { try store.readLog(of: unknown, producer: producer, after: 0) { _ in } }
    #expect(throws: error) { try store.snapshot(of: unknown, producer: producer) }
    #expect(throws: error) {
      try store.alerts(AlertFilter(run: unknown), page: PageRequest(size: 1))
    }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    let other = try ProducerID("other")
    #expect(throws: RunStoreError.unknownProducer(run, other)) {
      try store.snapshot(of: run, producer: other)
    }
    #expect(throws: RunStoreError.unknownProducer(run, other)) {
      try store.commit([.refusal(run: run, producer: other, sequence: 1)])
    }
    #expect(try steps(store) == [])
    try store.close()
  }
}
