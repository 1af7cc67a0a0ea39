import Telemetry
import TelemetryWire
import Testing

@Suite("Models and registrations over the wire")
struct ModelWireTests {
  private func model() throws -> Model {
    try Model(
      layers: [
        Layer(name: "encoder.0"),
        Layer(
          name: "encoder.1",
          moduleType: "Linear",
          activation: "relu",
          normalization: "layer_norm",
          isResidual: true,
          fanIn: 3,
          fanOut: .max
        ),
        Layer(name: "encoder.2", isResidual: false, fanIn: 0, fanOut: 0),
      ],
      tensors: TensorRole.allCases.map { role in
        Tensor(
          name: "tensor.\(role.rawValue)",
          layer: 2,
          role: role,
          elementCount: UInt64(Int64.max)
        )
      } + [
        Tensor(
          name: "head.weight",
          layer: 1,
          role: .head,
          shape: [2, 3, 1],
          elementCount: 6,
          initialization: "glorot_uniform",
          isTrainable: false,
          tiedTo: 0
        )
      ]
    )
  }

  private func registration() throws -> RunRegistration {
    try RunRegistration(
      run: RunID("run-1"),
      project: "vision",
      name: "résnet",
      tags: ["a", "b"],
      hyperparameters: ["rate": "0.1", "batch": "64"],
      framework: "torch 2.13.0",
      producer: Producer(id: ProducerID("rank-0"), rank: 0, worldSize: 8),
      model: model()
    )
  }

  @Test("a model comes back as it was, with what is unknown unknown and 0 as 0")
  func roundTrip() throws {
    let model = try model()
    #expect(try Model(wire: Gradwatch_V1_Model(model).sent()) == model)
    let wire = Gradwatch_V1_Model(model)
    #expect(wire.layers.map(\.hasResidual) == [false, true, true])
    #expect(wire.layers.map(\.hasFanIn) == [false, true, true])
    #expect(wire.layers.map(\.hasFanOut) == [false, true, true])
    #expect(wire.tensors.map(\.hasTiedTo) == Array(repeating: false, count: 7) + [true])
  }

  @Test("a model's members are in the fields of their names")
  func fields() throws {
    let wire = Gradwatch_V1_Model(try model())
    #expect(
      try wire.layers[1].json() == """
        {"name":"encoder.1","module_type":"Linear","activation":"relu",\
        "normalization":"layer_norm","residual":true,"fan_in":"3",\
        "fan_out":"18446744073709551615"}
        """
    )
    #expect(
      try wire.tensors[7].json() == """
        {"name":"head.weight","layer_id":1,"role":"TENSOR_ROLE_HEAD","shape":["2","3","1"],\
        "element_count":"6","initialization":"glorot_uniform","frozen":true,"tied_to":0}
        """
    )
  }

  @Test("a role that is not known is refused, with its tensor", arguments: [7, 257, -1])
  func unknownRole(number: Int) throws {
    var wire = Gradwatch_V1_Model(try model())
    wire.tensors[5].role = .UNRECOGNIZED(number)
    let sent = try wire.sent()
    #expect(
      throws: TelemetryError.outOfRange(
        field: "model.tensors[5].role",
        expected: "a known role",
        found: "\(number)"
      )
    ) { try Model(wire: sent) }
  }

  @Test("what is wrong with a model on the wire is found as in the model itself")
  func modelErrors() throws {
    var wire = Gradwatch_V1_Model(try model())
    wire.tensors[3].layerID = 3
    #expect(
      throws: TelemetryError.unknownIndex(column: "model.tensors[3].layer_id", index: 3, count: 3)
    ) { try Model(wire: wire) }
    wire = Gradwatch_V1_Model(try model())
    wire.tensors[7].elementCount = 0
    let error = #expect(throws: TelemetryError.self) { try Model(wire: wire) }
    #expect(error?.field == "model.tensors[7].element_count")
  }

  @Test("a registration comes back as it was")
  func registrationRoundTrip() throws {
    let registration = try registration()
    let wire = try Gradwatch_V1_RegisterRunRequest(registration).sent()
    #expect(try RunRegistration(wire: wire, generatedID: "unused") == registration)
  }

  @Test("a registration's members are in the fields of their names")
  func registrationFields() throws {
    var wire = Gradwatch_V1_RegisterRunRequest(try registration())
    wire.clearModel()
    #expect(
      try wire.json() == """
        {"run_id":"run-1","project":"vision","name":"résnet","tags":["a","b"],\
        "hyperparameters":{"batch":"64","rate":"0.1"},"framework":"torch 2.13.0",\
        "producer":{"producer_id":"rank-0","rank":0,"world_size":8}}
        """
    )
  }

  @Test("a client that says least gets a made-up identifier and the default project")
  func defaults() throws {
    var wire = Gradwatch_V1_RegisterRunRequest()
    wire.producer.producerID = "p"
    let registration = try RunRegistration(wire: wire.sent(), generatedID: "made-up")
    #expect(registration.run.rawValue == "made-up")
    #expect(registration.project == "default")
    #expect(registration.producer.rank == nil)
    #expect(registration.producer.worldSize == nil)
    #expect(registration.model.layers.isEmpty)
  }

  @Test("an identifier is made up only for a client that chose none")
  func generatedOnce() throws {
    var made = 0
    func make() -> String {
      made += 1
      return "made-up"
    }
    let wire = Gradwatch_V1_RegisterRunRequest(try registration())
    _ = try RunRegistration(wire: wire, generatedID: make())
    #expect(made == 0)
  }

  @Test("what is wrong with a registration is named by its field")
  func registrationErrors() throws {
    let cases: [(String, (inout Gradwatch_V1_RegisterRunRequest) -> Void)] = [
      ("run_id", { $0.runID = "a\nb" }),
      ("project", { $0.project = "\u{7f}" }),
      ("name", { $0.name = String(repeating: "n", count: 513) }),
      ("tags[1]", { $0.tags[1] = "" }),
      ("tags", { $0.tags = Array(repeating: "t", count: 1025) }),
      ("hyperparameters key", { $0.hyperparameters[""] = "1" }),
      (
        "hyperparameters value",
        { $0.hyperparameters["rate"] = String(repeating: "1", count: 16_385) }
      ),
      ("framework", { $0.framework = "\t" }),
      ("producer_id", { $0.producer.producerID = "" }),
      ("producer_id", { $0.clearProducer() }),
      ("model.layers[0].name", { $0.model.layers[0].name = "" }),
      ("model.tensors[0].role", { $0.model.tensors[0].role = .UNRECOGNIZED(8) }),
    ]
    for (field, edit) in cases {
      var wire = Gradwatch_V1_RegisterRunRequest(try registration())
      edit(&wire)
      let error = #expect(throws: TelemetryError.self) {
        try RunRegistration(wire: wire, generatedID: "unused")
      }
      #expect(error?.field == field)
    }
  }
}
