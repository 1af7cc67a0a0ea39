import Query
import Telemetry
import Testing

@Suite("Selecting tensors and layers")
struct TensorSelectorTests {
  /// Four layers; tensors are registered in another order than their layers.
  private func model() throws -> Model {
    func tensor(_ name: String, _ layer: UInt32, _ role: TensorRole) -> Tensor {
      Tensor(name: name, layer: layer, role: role, elementCount: 1)
    }
    return try Model(
      layers: ["embed", "block.0", "block.1", "head"].map { Layer(name: $0) },
      tensors: [
        tensor("head.weight", 3, .head),  // 0
        tensor("block.1.weight", 2, .weight),  // 1
        tensor("block.0.bias", 1, .bias),  // 2
        tensor("block.0.weight", 1, .weight),  // 3
        tensor("block.1.bias", 2, .bias),  // 4
        tensor("embed.table", 0, .embedding),  // 5
      ]
    )
  }

  @Test("a selector that restricts nothing gives everything, in forward order")
  func everything() throws {
    let model = try model()
    #expect(TensorSelector().tensors(in: model) == [5, 2, 3, 1, 4, 0])
    #expect(TensorSelector().layers(in: model) == [0, 1, 2, 3])
    #expect(TensorSelector(layer: "*", tensor: "*").tensors(in: model) == [5, 2, 3, 1, 4, 0])
  }

  @Test("a layer's glob chooses its layers and their tensors")
  func layers() throws {
    let model = try model()
    let selector = TensorSelector(layer: "block.*")
    #expect(selector.layers(in: model) == [1, 2])
    #expect(selector.tensors(in: model) == [2, 3, 1, 4])
    #expect(TensorSelector(layer: "block").layers(in: model).isEmpty)
    #expect(TensorSelector(layer: "block").tensors(in: model).isEmpty)
  }

  @Test("a tensor's glob chooses tensors, and the layers that own one")
  func tensors() throws {
    let model = try model()
    let selector = TensorSelector(tensor: "*.weight")
    #expect(selector.tensors(in: model) == [3, 1, 0])
    #expect(selector.layers(in: model) == [1, 2, 3])
  }

  @Test("roles choose tensors, and the layers that own one")
  func roles() throws {
    let model = try model()
    #expect(TensorSelector(roles: [.bias]).tensors(in: model) == [2, 4])
    #expect(TensorSelector(roles: [.bias]).layers(in: model) == [1, 2])
    #expect(TensorSelector(roles: [.head, .embedding]).tensors(in: model) == [5, 0])
    #expect(TensorSelector(roles: [.norm]).tensors(in: model).isEmpty)
    #expect(TensorSelector(roles: [.norm]).layers(in: model).isEmpty)
  }

  @Test("members that are set must all match")
  func together() throws {
    let model = try model()
    let selector = TensorSelector(layer: "*.?", tensor: "*1*", roles: [.weight, .head])
    #expect(selector.tensors(in: model) == [1])
    #expect(selector.layers(in: model) == [2])
    #expect(TensorSelector(layer: "head", roles: [.bias]).layers(in: model).isEmpty)
  }

  @Test("a layer without tensors is chosen by its name only")
  func bareLayer() throws {
    let model = try Model(layers: [Layer(name: "relu")], tensors: [])
    #expect(TensorSelector(layer: "re*").layers(in: model) == [0])
    #expect(TensorSelector(layer: "re*", tensor: "*").layers(in: model).isEmpty)
  }
}
