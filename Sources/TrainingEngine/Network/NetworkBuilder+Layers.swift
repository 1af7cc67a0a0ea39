// What each kind of layer needs, checks and returns.
extension NetworkBuilder {
  /// Builds one layer; `shape` is that of one sample, afterwards that of what comes out.
  mutating func makeModule(
    _ plan: LayerPlan,
    shape: inout [Int]
  ) throws(TrainingError) -> Module {
    switch plan {
    case .dense(let units, let activation, let initializer, let normalization):
      return try makeDense(units, activation, initializer, normalization, shape: &shape)

    case .convolution1D(
      let filters,
      let size,
      let stride,
      let activation,
      let initializer,
      let normalization
    ):
      guard shape.count == 2 else {
        throw .shape("conv1d", expected: "[time, channels]", found: shape)
      }
      return try makeConvolution(
        "conv1d",
        filters,
        size: (1, size),
        stride,
        activation,
        initializer,
        normalization,
        shape: &shape
      )

    case .convolution2D(
      let filters,
      let size,
      let stride,
      let activation,
      let initializer,
      let normalization
    ):
      guard shape.count == 3 else {
        throw .shape("conv2d", expected: "[height, width, channels]", found: shape)
      }
      return try makeConvolution(
        "conv2d",
        filters,
        size: (size, size),
        stride,
        activation,
        initializer,
        normalization,
        shape: &shape
      )

    case .embedding(let count, let width, let initializer):
      return try makeEmbedding(count: count, width: width, initializer, shape: &shape)

    case .positions(let initializer):
      guard shape.count == 2 else {
        throw .shape("positions", expected: "[time, width]", found: shape)
      }
      let layer = addLayer(
        "positions",
        moduleType: "Embedding",
        fanIn: shape[0],
        fanOut: shape[1],
        initializer: initializer
      )
      return .positions(
        table: addParameter(
          "weight",
          .embedding,
          of: layer,
          shape: shape,
          initializer: initializer
        )
      )

    case .recurrent(
      let cell,
      let units,
      let initializer,
      let recurrentInitializer,
      let normalization,
      let returnsSequence,
      let truncation,
      let carryBias
    ):
      return try makeRecurrent(
        cell,
        units,
        (initializer, recurrentInitializer),
        normalization,
        returnsSequence: returnsSequence,
        truncation: truncation,
        carryBias: carryBias,
        shape: &shape
      )

    case .attention(let heads, let isCausal, let initializer, let output):
      return try makeAttention(heads, isCausal, initializer, output ?? initializer, shape: shape)

    case .normalization(let normalization):
      return try makeNormalizer(normalization, shape: shape).map { .normalizer($0) }
        ?? .chain(Chain(modules: []))

    case .activation(let activation):
      try checkHasNoSlope(activation, of: "activation")
      return .activation(activation, slope: nil)

    case .dropout(let rate):
      guard rate >= 0, rate < 1 else {
        throw .setting("dropout", expected: "0 to below 1", found: "\(rate)")
      }
      return .dropout(rate: rate)

    case .residual(let body, let activation):
      return .residual(try makeResidual(body, activation, shape: &shape))

    case .block(let body): return .chain(try makeBlock(body, isResidual: false, shape: &shape))

    case .meanOverPositions:
      guard shape.count > 1 else {
        throw .shape("mean over positions", expected: "[..., channels]", found: shape)
      }
      shape = [shape[shape.count - 1]]
      return .meanOverPositions

    case .flatten:
      shape = [shape.reduce(1, *)]
      return .flatten
    }
  }

  private mutating func makeAffine(
    _ layer: Int,
    _ shape: [Int],
    _ initializer: Initializer,
    _ normalization: Normalization
  ) -> Affine {
    Affine(
      weight: addParameter("weight", .weight, of: layer, shape: shape, initializer: initializer),
      bias: normalization == .none
        ? addParameter("bias", .bias, of: layer, shape: [shape[1]], initializer: .zeros) : nil
    )
  }

  private mutating func makeDense(
    _ units: Int,
    _ activation: Activation,
    _ initializer: Initializer,
    _ normalization: Normalization,
    shape: inout [Int]
  ) throws(TrainingError) -> Module {
    guard units > 0 else {
      throw .setting("dense", expected: "at least 1 unit", found: "\(units)")
    }
    let inputs = shape[shape.count - 1]
    let layer = addLayer(
      "dense",
      moduleType: "Dense",
      activation: activation,
      normalization: normalization,
      fanIn: inputs,
      fanOut: units,
      initializer: initializer
    )
    let affine = makeAffine(layer, [inputs, units], initializer, normalization)
    shape[shape.count - 1] = units
    let following = try makeFollowing(layer, normalization, activation, shape: shape)
    return .chain(Chain(modules: [.affine(affine)] + following, layer: layer))
  }

  private mutating func makeConvolution(
    _ kind: String,
    _ filters: Int,
    size: (height: Int, width: Int),
    _ stride: Int,
    _ activation: Activation,
    _ initializer: Initializer,
    _ normalization: Normalization,
    shape: inout [Int]
  ) throws(TrainingError) -> Module {
    guard filters > 0, stride > 0, size.width > 0, size.width % 2 == 1 else {
      throw .setting(
        kind,
        expected: "filters and a stride of at least 1, and an odd size",
        found: "\(filters) filters, stride \(stride), size \(size.width)"
      )
    }
    let inputs = size.height * size.width * shape[shape.count - 1]
    let layer = addLayer(
      kind,
      moduleType: kind == "conv1d" ? "Conv1D" : "Conv2D",
      activation: activation,
      normalization: normalization,
      fanIn: inputs,
      fanOut: size.height * size.width * filters,
      initializer: initializer
    )
    let affine = makeAffine(layer, [inputs, filters], initializer, normalization)
    for dimension in shape.indices.dropLast() {
      shape[dimension] = (shape[dimension] + stride - 1) / stride
    }
    shape[shape.count - 1] = filters
    let following = try makeFollowing(layer, normalization, activation, shape: shape)
    return .chain(
      Chain(
        modules: [.patches(size: size, stride: stride), .affine(affine)] + following,
        layer: layer
      )
    )
  }

  private mutating func makeEmbedding(
    count: Int,
    width: Int,
    _ initializer: Initializer,
    shape: inout [Int]
  ) throws(TrainingError) -> Module {
    guard shape.count == 1 else { throw .shape("embedding", expected: "[time]", found: shape) }
    guard count > 0, width > 0 else {
      throw .setting(
        "embedding",
        expected: "a count and a width of at least 1",
        found: "\(count) and \(width)"
      )
    }
    let layer = addLayer(
      "embedding",
      moduleType: "Embedding",
      fanIn: count,
      fanOut: width,
      initializer: initializer
    )
    let table = addParameter(
      "weight",
      .embedding,
      of: layer,
      shape: [count, width],
      initializer: initializer
    )
    shape.append(width)
    return .chain(Chain(modules: [.embedding(table: table)], layer: layer))
  }

  private mutating func makeAttention(
    _ heads: Int,
    _ isCausal: Bool,
    _ initializer: Initializer,
    _ outputInitializer: Initializer,
    shape: [Int]
  ) throws(TrainingError) -> Module {
    guard shape.count == 2, heads > 0, shape[1] % heads == 0 else {
      throw .shape(
        "attention",
        expected: "[time, width] whose width \(heads) heads divide",
        found: shape
      )
    }
    let width = shape[1]
    let input = addLayer(
      "attention_input",
      moduleType: "Dense",
      fanIn: width,
      fanOut: 3 * width,
      initializer: initializer
    )
    let project = makeAffine(input, [width, 3 * width], initializer, .none)
    let output = addLayer(
      "attention_output",
      moduleType: "Dense",
      fanIn: width,
      fanOut: width,
      initializer: outputInitializer
    )
    let mix = makeAffine(output, [width, width], outputInitializer, .none)
    let before = Chain(modules: [.affine(project)], layer: input)
    return .chain(
      Chain(
        modules: [.chain(before), .attention(headCount: heads, isCausal: isCausal), .affine(mix)],
        layer: output
      )
    )
  }

  private mutating func makeRecurrent(
    _ cell: RecurrentCell,
    _ units: Int,
    _ initializers: (input: Initializer, recurrent: Initializer),
    _ normalization: Normalization,
    returnsSequence: Bool,
    truncation: Int?,
    carryBias: Double,
    shape: inout [Int]
  ) throws(TrainingError) -> Module {
    guard shape.count == 2 else {
      throw .shape(cell.kind, expected: "[time, features]", found: shape)
    }
    guard units > 0, truncation ?? 1 > 0 else {
      throw .setting(
        cell.kind,
        expected: "units and a truncation of at least 1",
        found: "\(units) units, truncation \(truncation ?? 0)"
      )
    }
    let inputs = shape[1]
    let gates = cell.gateCount * units
    let layer = addLayer(
      cell.kind,
      moduleType: cell.moduleType,
      activation: cell.activation,
      normalization: normalization,
      fanIn: inputs,
      fanOut: units,
      initializer: initializers.input
    )
    let affine = makeAffine(layer, [inputs, gates], initializers.input, normalization)
    if let bias = affine.bias, gates > units {
      // Both cells have the gate that keeps the state in second place.
      setValue(carryBias, of: bias, at: units..<2 * units)
    }
    let recurrentWeight = addParameter(
      "recurrent_weight",
      .recurrent,
      of: layer,
      shape: [units, gates],
      fanIn: units,
      initializer: initializers.recurrent
    )
    // A gated unit's reset gate acts on the recurrent sum, so that one has an offset of its own.
    let recurrentBias =
      cell == .gatedUnit
      ? addParameter("recurrent_bias", .bias, of: layer, shape: [gates], initializer: .zeros) : nil
    let normalizer: Normalizer?
    switch cell {
    case .plain(let activation):
      try checkHasNoSlope(activation, of: cell.kind)
      normalizer = try makeNormalizer(normalization, shape: [units])
    case .longShortTermMemory, .gatedUnit:
      guard normalization == .none else {
        throw .setting(cell.kind, expected: "no normalization", found: normalization.name)
      }
      normalizer = nil
    }
    shape = returnsSequence ? [shape[0], units] : [units]
    let recurrent = Recurrent(
      cell: cell,
      unitCount: units,
      input: affine,
      recurrentWeight: recurrentWeight,
      recurrentBias: recurrentBias,
      normalizer: normalizer,
      returnsSequence: returnsSequence,
      truncation: truncation
    )
    return .chain(Chain(modules: [.recurrent(recurrent)], layer: layer))
  }
}

extension RecurrentCell {
  fileprivate var kind: String {
    switch self {
    case .plain: "rnn"
    case .longShortTermMemory: "lstm"
    case .gatedUnit: "gru"
    }
  }

  fileprivate var moduleType: String {
    switch self {
    case .plain: "RNN"
    case .longShortTermMemory: "LSTM"
    case .gatedUnit: "GRU"
    }
  }

  fileprivate var activation: Activation {
    switch self {
    case .plain(let activation): activation
    case .longShortTermMemory, .gatedUnit: .tanh
    }
  }
}
