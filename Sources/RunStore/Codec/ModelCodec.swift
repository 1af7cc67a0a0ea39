package import Telemetry

/// The bytes of a run's model.
package enum ModelCodec {
  /// Appends a model, compressed if that makes it smaller.
  package static func write(_ model: Model, to writer: inout ByteWriter, _ deflater: Deflater) {
    BlobFrame.write(to: &writer, deflater) { (writer: inout ByteWriter) in
      writer.append(UInt32(model.layers.count))
      for layer in model.layers { write(layer, to: &writer) }
      writer.append(UInt32(model.tensors.count))
      for tensor in model.tensors { write(tensor, to: &writer) }
    }
  }

  /// Reads a model.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:_:)`` doesn't write, or that hold a
  ///   model that ``Telemetry/Model`` refuses.
  package static func read(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> Model {
    let (layers, tensors) = try BlobFrame.read(bytes) {
      (reader: inout ByteReader) throws(CodecError) in
      var layers: [Layer] = []
      for _ in 0..<(try reader.readEntryCount(atLeast: 19)) {
        layers.append(try readLayer(from: &reader))
      }
      var tensors: [Tensor] = []
      for _ in 0..<(try reader.readEntryCount(atLeast: 27)) {
        tensors.append(try readTensor(from: &reader))
      }
      return (layers, tensors)
    }
    do {
      return try Model(layers: layers, tensors: tensors)
    } catch {
      throw CodecError("\(error)")
    }
  }

  private static func write(_ layer: Layer, to writer: inout ByteWriter) {
    writer.append(layer.name)
    writer.append(layer.moduleType)
    writer.append(layer.activation)
    writer.append(layer.normalization)
    writer.append(optional: layer.isResidual.map { $0 ? UInt8(1) : 0 })
    writer.append(optional: layer.fanIn)
    writer.append(optional: layer.fanOut)
  }

  private static func readLayer(from reader: inout ByteReader) throws(CodecError) -> Layer {
    var layer = Layer(name: try reader.readString())
    layer.moduleType = try reader.readString()
    layer.activation = try reader.readString()
    layer.normalization = try reader.readString()
    layer.isResidual = try reader.readFlag() ? try reader.readFlag() : nil
    layer.fanIn = try reader.readOptional()
    layer.fanOut = try reader.readOptional()
    return layer
  }

  private static func write(_ tensor: Tensor, to writer: inout ByteWriter) {
    writer.append(tensor.name)
    writer.append(tensor.layer)
    writer.append(tensor.role.rawValue)
    writer.append(counted: tensor.shape)
    writer.append(tensor.elementCount)
    writer.append(tensor.initialization)
    writer.append(UInt8(tensor.isTrainable ? 1 : 0))
    writer.append(optional: tensor.tiedTo)
  }

  private static func readTensor(from reader: inout ByteReader) throws(CodecError) -> Tensor {
    let name = try reader.readString()
    let layer = try reader.read(UInt32.self)
    let role = try reader.readCase(of: TensorRole.self)
    let shape = try reader.readCounted(of: UInt64.self)
    var tensor = Tensor(
      name: name,
      layer: layer,
      role: role,
      shape: shape,
      elementCount: try reader.read()
    )
    tensor.initialization = try reader.readString()
    tensor.isTrainable = try reader.readFlag()
    tensor.tiedTo = try reader.readOptional()
    return tensor
  }
}
