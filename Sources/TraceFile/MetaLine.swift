/// The first line of a trace, as it is written.
///
/// `run` and `label` are not taken: nothing that judges a run may see its ground truth.
struct MetaLine: Decodable {
  struct Parameter: Decodable {
    var i: Int
    var name: String
    var layer: String
    var parent: String?
    var type: String
    var kind: String
    var shape: [UInt64]
    var n: UInt64
    var depth: Int?
    var act: String?
    var `init`: String?
    var trainable: Bool?
    var tied: [String]?
  }

  struct Activation: Decodable {
    var i: Int
    var name: String
    var type: String
    var depth: Int?
  }

  struct MixedPrecision: Decodable {
    var gradsAreScaled: Bool?
    var dtype: String?

    enum CodingKeys: String, CodingKey {
      case gradsAreScaled = "grads_are_scaled"
      case dtype
    }
  }

  struct Intent: Decodable {
    var frozenLayers: [String]?

    enum CodingKeys: String, CodingKey { case frozenLayers = "frozen_layers" }
  }

  /// The columns that a row of `p` must have, in this order.
  static let parameterColumns = [
    "norm", "mean", "mabs", "std", "min", "max", "zeros", "nans", "pinf", "ninf", "pnorm", "unorm",
    "hpos", "hneg",
  ]
  /// The columns that a row of `a` must have, in this order.
  static let activationColumns = ["mean", "std", "zero", "sat", "dead"]

  var type: String
  var format: Int?
  var framework: String?
  var steps: UInt64?
  var optimizer: String?
  var lossFunction: String?
  var accumulation: UInt64?
  var batchSize: UInt64?
  var amp: MixedPrecision?
  var intent: Intent?
  var every: UInt64?
  var histogramEvery: UInt64?
  var pcols: [String]?
  var acols: [String]?
  var allParameters: UInt64?
  var params: [Parameter]
  var acts: [Activation]?

  enum CodingKeys: String, CodingKey {
    case type, format, framework, steps, optimizer, amp, intent, every, pcols, acols, params, acts
    case lossFunction = "loss_fn"
    case accumulation = "accum"
    case batchSize = "batch_size"
    case histogramEvery = "hist_every"
    case allParameters = "all_params"
  }

  /// Checks what the types don't say.
  func check() throws(Mismatch) {
    guard type == "meta" else {
      throw Mismatch(field: "type", expected: "meta", found: type)
    }
    guard format ?? 1 == 1 else {
      throw Mismatch(field: "format", expected: "1", found: "\(format ?? 1)")
    }
    for (field, expected, found) in [
      ("pcols", Self.parameterColumns, pcols), ("acols", Self.activationColumns, acols),
    ] where found != nil && found != expected {
      throw Mismatch(
        field: field,
        expected: expected.joined(separator: " "),
        found: (found ?? []).joined(separator: " ")
      )
    }
    for (index, parameter) in params.enumerated() where parameter.i != index {
      throw Mismatch(field: "params[\(index)].i", expected: "\(index)", found: "\(parameter.i)")
    }
    for (index, activation) in (acts ?? []).enumerated() where activation.i != index {
      throw Mismatch(field: "acts[\(index)].i", expected: "\(index)", found: "\(activation.i)")
    }
  }
}
