import Telemetry
import Testing

@Suite("Models")
struct ModelTests {
  private static let layers = [Layer(name: "a"), Layer(name: "b")]

  private static func tensor(
    _ name: String = "w",
    layer: UInt32 = 0,
    shape: [UInt64] = [],
    elements: UInt64 = 6,
    initialization: String = "",
    tiedTo: UInt32? = nil
  ) -> Tensor {
    Tensor(
      name: name,
      layer: layer,
      role: .weight,
      shape: shape,
      elementCount: elements,
      initialization: initialization,
      tiedTo: tiedTo
    )
  }

  /// A model that is wrong in one place.
  struct Refusal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var layers: [Layer] = ModelTests.layers
    var tensors: [Tensor] = []
    var field: String
    var expected: String
    var found: String
  }

  static let refusals = [
    Refusal(
      testDescription: "a layer without a name",
      layers: [Layer(name: "a"), Layer(name: "")],
      field: "model.layers[1].name",
      expected: "a name",
      found: "an empty string"
    ),
    Refusal(
      testDescription: "two layers of one name",
      layers: [Layer(name: "a"), Layer(name: "b"), Layer(name: "a")],
      field: "model.layers[2].name",
      expected: "a name that no other layer has",
      found: "a repeated one"
    ),
    Refusal(
      testDescription: "a control character in a module type",
      layers: [Layer(name: "a", moduleType: "Lin\tear")],
      field: "model.layers[0].module_type",
      expected: "no control character",
      found: "U+9"
    ),
    Refusal(
      testDescription: "a control character in an activation",
      layers: [Layer(name: "a", activation: "\u{7f}")],
      field: "model.layers[0].activation",
      expected: "no control character",
      found: "U+7F"
    ),
    Refusal(
      testDescription: "an overlong normalization",
      layers: [Layer(name: "a", normalization: String(repeating: "n", count: 513))],
      field: "model.layers[0].normalization",
      expected: "at most 512 bytes of UTF-8",
      found: "513 bytes"
    ),
    Refusal(
      testDescription: "a tensor without a name",
      tensors: [tensor("")],
      field: "model.tensors[0].name",
      expected: "a name",
      found: "an empty string"
    ),
    Refusal(
      testDescription: "two tensors of one name, in different layers",
      tensors: [tensor("w"), tensor("w", layer: 1)],
      field: "model.tensors[1].name",
      expected: "a name that no other tensor has",
      found: "a repeated one"
    ),
    Refusal(
      testDescription: "a control character in an initialization",
      tensors: [tensor(initialization: "glorot\n")],
      field: "model.tensors[0].initialization",
      expected: "no control character",
      found: "U+A"
    ),
    Refusal(
      testDescription: "a tensor tied to one that is not there",
      tensors: [tensor("v"), tensor(tiedTo: 2)],
      field: "model.tensors[1].tied_to",
      expected: "the index of another tensor",
      found: "2"
    ),
    Refusal(
      testDescription: "a tensor tied to itself",
      tensors: [tensor("v"), tensor(tiedTo: 1)],
      field: "model.tensors[1].tied_to",
      expected: "the index of another tensor",
      found: "1"
    ),
    Refusal(
      testDescription: "a tensor without elements",
      tensors: [tensor(elements: 0)],
      field: "model.tensors[0].element_count",
      expected: "1 to 2^63-1",
      found: "0"
    ),
    Refusal(
      testDescription: "a tensor of 2^63 elements",
      tensors: [tensor(elements: 1 << 63)],
      field: "model.tensors[0].element_count",
      expected: "1 to 2^63-1",
      found: "9223372036854775808"
    ),
    Refusal(
      testDescription: "a shape of 17 dimensions",
      tensors: [tensor(shape: Array(repeating: 1, count: 17), elements: 1)],
      field: "model.tensors[0].shape",
      expected: "at most 16 dimensions",
      found: "17"
    ),
    Refusal(
      testDescription: "a shape whose product overflows to the element count",
      tensors: [tensor(shape: [1 << 32, 1 << 32, 6], elements: 6)],
      field: "model.tensors[0].shape",
      expected: "fewer than 2^64 elements",
      found: "more"
    ),
    Refusal(
      testDescription: "a shape with a dimension of 0",
      tensors: [tensor(shape: [6, 0])],
      field: "model.tensors[0].shape",
      expected: "6 elements, as in element_count",
      found: "0"
    ),
    Refusal(
      testDescription: "a shape of another product",
      tensors: [tensor(shape: [2, 4])],
      field: "model.tensors[0].shape",
      expected: "6 elements, as in element_count",
      found: "8"
    ),
  ]

  @Test("a model that is wrong is refused, with the place", arguments: refusals)
  func refused(refusal: Refusal) {
    #expect(
      throws: TelemetryError.outOfRange(
        field: refusal.field,
        expected: refusal.expected,
        found: refusal.found
      )
    ) { try Model(layers: refusal.layers, tensors: refusal.tensors) }
  }

  @Test("a tensor of a layer that is not there is refused", arguments: [UInt32(2), .max])
  func unknownLayer(layer: UInt32) {
    #expect(
      throws: TelemetryError.unknownIndex(
        column: "model.tensors[0].layer_id",
        index: Int(layer),
        count: 2
      )
    ) { try Model(layers: Self.layers, tensors: [Self.tensor(layer: layer)]) }
  }

  @Test("a model has at most 131,072 layers and 131,072 tensors")
  func limits() throws {
    let count = Model.maximumCount
    let layers = (0...count).map { Layer(name: "l\($0)") }
    let tensors = (0...count).map { Self.tensor("t\($0)") }
    let model = try Model(layers: Array(layers.dropLast()), tensors: Array(tensors.dropLast()))
    #expect(model.layers.count == 131_072 && model.tensors.count == 131_072)
    #expect(
      throws: TelemetryError.outOfRange(
        field: "model.layers",
        expected: "at most 131072",
        found: "131073"
      )
    ) { try Model(layers: layers, tensors: []) }
    #expect(
      throws: TelemetryError.outOfRange(
        field: "model.tensors",
        expected: "at most 131072",
        found: "131073"
      )
    ) { try Model(layers: Self.layers, tensors: tensors) }
  }

  @Test("tied tensors, scalars, unknown shapes and 16 dimensions are taken as they are")
  func accepted() throws {
    let tensors = [
      Self.tensor("embedding", layer: 0, shape: [2, 3]),
      Self.tensor("head", layer: 1, shape: [2, 3], tiedTo: 0),
      Self.tensor("forward", tiedTo: 3),
      Self.tensor("scalar", elements: 1),
      Self.tensor("flat", elements: UInt64(Int64.max)),
      Self.tensor("deep", shape: Array(repeating: 1, count: 15) + [6]),
    ]
    let model = try Model(layers: Self.layers, tensors: tensors)
    #expect(model.tensors == tensors)
    #expect(model.layers == Self.layers)
  }

  @Test("a layer and a tensor may share a name, and a model may be empty")
  func sharedAndEmpty() throws {
    #expect(try Model(layers: Self.layers, tensors: [Self.tensor("a")]).tensors.count == 1)
    #expect(try Model(layers: [], tensors: []).layers.isEmpty)
  }
}
