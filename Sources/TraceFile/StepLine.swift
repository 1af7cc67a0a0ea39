/// A line of one recorded step, as it is written; what is not available is `nil`.
struct StepLine: Decodable {
  /// What was measured of one tensor.
  struct Row: Decodable {
    /// The columns before the histograms.
    static let valueCount = 12
    /// The columns that hold counts: zeros, NaN, +Inf and -Inf.
    private static let countColumns = 6...9

    private var values: [Double?]
    private var counts: [UInt64]
    /// The exponent of the first bucket, and then the counts; empty if there are none.
    var positive: [Int64]?
    var negative: [Int64]?

    init(from decoder: any Decoder) throws {
      var cells = try decoder.unkeyedContainer()
      // An absent cell would otherwise pass for one that is not available.
      guard cells.count == MetaLine.parameterColumns.count else {
        throw Mismatch(
          field: Mismatch.path(decoder.codingPath),
          expected: "\(MetaLine.parameterColumns.count) columns",
          found: "\(cells.count ?? 0)"
        )
      }
      values = []
      values.reserveCapacity(Self.valueCount)
      counts = []
      for column in 0..<Self.valueCount {
        if Self.countColumns.contains(column) {
          counts.append(try cells.decodeIfPresent(UInt64.self) ?? 0)
          values.append(nil)
        } else {
          values.append(try cells.decodeIfPresent(Double.self))
        }
      }
      positive = try cells.decodeIfPresent([Int64].self)
      negative = try cells.decodeIfPresent([Int64].self)
    }

    /// A statistic as a report holds it: NaN if it is not available, infinite if it is too large.
    func statistic(_ column: Int) -> Float { values[column].map { Float($0) } ?? .nan }

    /// A count; 0 if it is not available.
    func count(_ column: Int) -> UInt64 { counts[column - Self.countColumns.lowerBound] }
  }

  var step: UInt64
  var loss: Double?
  var generatorLoss: Double?
  var learningRate: Double?
  var globalNorm: Double?
  var clip: Double?
  var clipKind: String?
  var clipped: Bool?
  var scale: Double?
  var skipped: Bool?
  var rows: [Row?]
  var updatesWithoutGradient: [String: Double]?
  var activations: [[Double?]?]?
  var timeStepNorms: [Double?]?
  var timeSteps: [UInt32]?

  enum CodingKeys: String, CodingKey {
    case loss, clip, clipped, scale, skipped
    case step = "s"
    case generatorLoss = "loss_g"
    case learningRate = "lr"
    case globalNorm = "gn"
    case clipKind = "clip_kind"
    case rows = "p"
    case updatesWithoutGradient = "u_nograd"
    case activations = "a"
    case timeStepNorms = "tg"
    case timeSteps = "tp"
  }
}
