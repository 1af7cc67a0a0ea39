/// Builds the modules of a plan, names its layers, and draws their parameters in forward order.
struct NetworkBuilder<Scalar: TrainingScalar> {
  private(set) var layers: [LayerDescription] = []
  private(set) var parameters: [Parameter<Scalar>] = []
  var generator: SeededGenerator

  /// How often each kind of layer occurred.
  private var counts: [String: Int] = [:]
  private var blockCount = 0
  /// The block whose layers are being built, such as `blocks.0.`.
  private var scope = ""
  private var isInResidual = false

  init(generator: SeededGenerator) { self.generator = generator }

  /// Adds a layer, and returns its index.
  mutating func addLayer(
    _ kind: String,
    moduleType: String,
    activation: Activation = .linear,
    normalization: Normalization = .none,
    fanIn: Int,
    fanOut: Int,
    initializer: Initializer
  ) -> Int {
    counts[kind, default: 0] += 1
    layers.append(
      LayerDescription(
        name: "\(scope)\(kind)_\(counts[kind, default: 0])",
        moduleType: moduleType,
        activation: activation,
        normalization: normalization,
        isResidual: isInResidual,
        fanIn: fanIn,
        fanOut: fanOut,
        initializer: initializer
      )
    )
    return layers.count - 1
  }

  /// Draws a parameter of a layer, and returns its index; without a `fanIn`, with the layer's.
  mutating func addParameter(
    _ name: String,
    _ role: ParameterRole,
    of layer: Int,
    shape: [Int],
    fanIn: Int? = nil,
    initializer: Initializer
  ) -> Int {
    let description = layers[layer]
    parameters.append(
      Parameter(
        name: "\(description.name).\(name)",
        layer: layer,
        role: role,
        initialization: initializer.name,
        value: initializer.makeArray(
          shape: shape,
          fanIn: fanIn ?? description.fanIn,
          fanOut: description.fanOut,
          using: &generator
        )
      )
    )
    return parameters.count - 1
  }

  /// Sets elements of a parameter.
  mutating func setValue(_ value: Double, of parameter: Int, at places: Range<Int>) {
    for place in places { parameters[parameter].value.elements[place] = Scalar(value) }
  }

  /// Builds layers one after the other; `shape` is that of one sample, afterwards that of what
  /// comes out.
  mutating func makeChain(
    _ plan: [LayerPlan],
    shape: inout [Int]
  ) throws(TrainingError) -> Chain {
    var modules: [Module] = []
    for layer in plan { modules.append(try makeModule(layer, shape: &shape)) }
    return Chain(modules: modules)
  }

  /// Builds a block: layers whose names share a prefix, unless they are in one already.
  mutating func makeBlock(
    _ plan: [LayerPlan],
    isResidual: Bool,
    shape: inout [Int]
  ) throws(TrainingError) -> Chain {
    let (outerScope, wasInResidual) = (scope, isInResidual)
    if scope.isEmpty {
      scope = "blocks.\(blockCount)."
      blockCount += 1
    }
    if isResidual { isInResidual = true }
    let chain = try makeChain(plan, shape: &shape)
    // The projection of a residual block is built after this, and belongs to the same block.
    isInResidual = wasInResidual
    if !isResidual { scope = outerScope }
    return chain
  }

  /// Builds a residual block.
  mutating func makeResidual(
    _ plan: [LayerPlan],
    _ activation: Activation,
    shape: inout [Int]
  ) throws(TrainingError) -> Residual {
    try checkHasNoSlope(activation, of: "residual")
    let outerScope = scope
    let input = shape
    let body = try makeBlock(plan, isResidual: true, shape: &shape)
    defer { scope = outerScope }
    return Residual(
      body: body,
      projection: shape == input ? nil : try makeProjection(from: input, to: shape),
      activation: activation
    )
  }

  /// Builds the matrix that gives a residual block's input the shape of its result.
  private mutating func makeProjection(
    from input: [Int],
    to output: [Int]
  ) throws(TrainingError) -> Chain {
    // The same stride has to fit all dimensions but the last.
    let stride = (1...(input.dropLast().max() ?? 1)).first { stride in
      zip(input, output).dropLast().allSatisfy { ($0 + stride - 1) / stride == $1 }
    }
    guard let stride, input.count == output.count else {
      throw .shape(
        "\(scope)residual",
        expected: "layers that keep \(input) but for the last dimension and a stride",
        found: output
      )
    }
    let (inputs, outputs) = (input[input.count - 1], output[output.count - 1])
    let layer = addLayer(
      "projection",
      moduleType: "Projection",
      fanIn: inputs,
      fanOut: outputs,
      initializer: .glorotUniform
    )
    let weight = addParameter(
      "weight",
      .weight,
      of: layer,
      shape: [inputs, outputs],
      initializer: .glorotUniform
    )
    let affine = Module.affine(Affine(weight: weight, bias: nil))
    return Chain(
      modules: stride == 1 ? [affine] : [.patches(size: (1, 1), stride: stride), affine],
      layer: layer
    )
  }

  /// Refuses an activation with a parameter where there is no layer to own it.
  func checkHasNoSlope(_ activation: Activation, of place: String) throws(TrainingError) {
    guard activation != .parametricReLU else {
      throw .setting(place, expected: "an activation without parameters", found: "prelu")
    }
  }

  /// Builds what follows a layer's sums: its normalization, then its activation.
  mutating func makeFollowing(
    _ layer: Int,
    _ normalization: Normalization,
    _ activation: Activation,
    shape: [Int]
  ) throws(TrainingError) -> [Module] {
    var modules: [Module] = []
    if let normalizer = try makeNormalizer(normalization, shape: shape) {
      modules.append(.normalizer(normalizer))
    }
    if activation != .linear {
      let slope =
        activation == .parametricReLU
        ? addParameter("slope", .bias, of: layer, shape: [1], initializer: .constant(0.25)) : nil
      modules.append(.activation(activation, slope: slope))
    }
    return modules
  }

  /// Builds a normalization, a layer of its own.
  mutating func makeNormalizer(
    _ normalization: Normalization,
    shape: [Int]
  ) throws(TrainingError) -> Normalizer? {
    guard let channels = shape.last else { return nil }
    let group: NormalizationGroup
    switch normalization {
    case .none: return nil
    case .batch: group = .channel
    case .layer: group = .position
    case .group(let count):
      guard count > 0, channels % count == 0 else {
        throw .shape("group_norm", expected: "channels in \(count) equal groups", found: shape)
      }
      group = .channelGroup(count: count)
    }
    let layer = addLayer(
      normalization.name,
      moduleType: normalization.moduleType,
      fanIn: channels,
      fanOut: channels,
      initializer: .constant(1)
    )
    return Normalizer(
      gain: addParameter("gain", .norm, of: layer, shape: [channels], initializer: .constant(1)),
      offset: addParameter("offset", .norm, of: layer, shape: [channels], initializer: .zeros),
      group: group
    )
  }
}

extension Normalization {
  /// The kind of layer, as collectors know it.
  fileprivate var moduleType: String {
    switch self {
    case .none: "Identity"
    case .batch: "BatchNorm"
    case .layer: "LayerNorm"
    case .group: "GroupNorm"
    }
  }
}
