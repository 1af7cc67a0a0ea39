import SwiftProtobuf
import Telemetry
import TelemetryWire
import Testing

@Suite("Refused histograms")
struct HistogramRefusalTests {
  @Test("a scale outside of -10 to 20 is refused", arguments: [-11, 21, .min, .max] as [Int32])
  func scales(scale: Int32) throws {
    try Refusal(
      "",
      .outOfRange(field: "histograms.scale", expected: "-10 to 20", found: "\(scale)")
    ) { $0.histograms.scale = scale }.check()
  }

  @Test("every scale from -10 to 20 is taken", arguments: Int32(-10)...20)
  func allScales(scale: Int32) throws {
    var wire = WireFixture.fullReport()
    wire.histograms.scale = scale
    #expect(try StepReport(wire: wire).histograms?.scale == scale)
  }

  private static func length(_ column: String, _ expected: Int, _ found: Int) -> TelemetryError {
    .columnLength(column: column, expected: expected, found: found)
  }

  @Test(
    "columns of one histogram group that are not equally long are refused",
    arguments: [
      Refusal("zero counts", length("histograms.positive_offset", 3, 2)) {
        $0.histograms.zeroCount = [1, 2, 3]
      },
      Refusal("positive offsets", length("histograms.positive_offset", 2, 1)) {
        $0.histograms.positiveOffset = [0]
      },
      Refusal("positive lengths", length("histograms.positive_length", 2, 3)) {
        $0.histograms.positiveLength = [2, 0, 0]
      },
      Refusal("negative offsets", length("histograms.negative_offset", 2, 0)) {
        $0.histograms.negativeOffset = []
      },
      Refusal("negative lengths", length("histograms.negative_length", 2, 1)) {
        $0.histograms.negativeLength = [4]
      },
      Refusal("one count too few", length("histograms.counts", 6, 5)) {
        $0.histograms.counts.removeLast()
      },
      Refusal("one count too many", length("histograms.counts", 6, 7)) {
        $0.histograms.counts.append(0)
      },
      Refusal("no counts", length("histograms.counts", 6, 0)) { $0.histograms.counts = [] },
    ]
  )
  func lengths(refusal: Refusal) throws { try refusal.check() }

  /// One histogram whose buckets of one sign are at a place.
  private func wire(
    scale: Int32,
    offset: Int32,
    length: UInt32,
    isNegative: Bool
  ) -> Gradwatch_V1_StepReport {
    var wire = WireFixture.report()
    wire.histograms = .with {
      ($0.scale, $0.zeroCount) = (scale, [0])
      ($0.positiveOffset, $0.positiveLength) = isNegative ? ([0], [0]) : ([offset], [length])
      ($0.negativeOffset, $0.negativeLength) = isNegative ? ([offset], [length]) : ([0], [0])
      $0.counts = Array(repeating: 1, count: Int(min(length, 5000)))
    }
    return wire
  }

  @Test(
    "buckets are within 1,100 octaves of 1, whatever the scale",
    arguments: [(-10, 1100), (-1, 1100), (0, 1100), (3, 8800), (20, 1_153_433_600)]
      as [(Int32, Int32)]
  )
  func offsets(scale: Int32, limit: Int32) throws {
    for isNegative in [false, true] {
      for (offset, length) in [(-limit, 1), (-limit, 2000), (limit - 1, 1), (limit - 2000, 2000)]
        as [(Int32, UInt32)]
      {
        let wire = wire(scale: scale, offset: offset, length: length, isNegative: isNegative)
        #expect(try StepReport(wire: wire).histograms?.counts.count == Int(length))
      }
      let name = isNegative ? "negative_offset" : "positive_offset"
      for (offset, length) in [
        (-limit - 1, 1), (limit, 1), (limit - 1, 2), (-limit, 2 * UInt32(limit) + 1),
        (.min, 1), (.max, 1), (.max, .max), (.min, .max), (0, .max),
      ] as [(Int32, UInt32)] {
        let wire = wire(scale: scale, offset: offset, length: length, isNegative: isNegative)
        #expect(
          throws: TelemetryError.outOfRange(
            field: "histograms.\(name)[0]",
            expected: "buckets within ±\(limit)",
            found: "\(length) from \(offset)"
          )
        ) { try StepReport(wire: wire) }
      }
    }
  }

  @Test("the offset of no buckets says nothing", arguments: [Int32.min, .max])
  func unusedOffset(offset: Int32) throws {
    for isNegative in [false, true] {
      let wire = wire(scale: 0, offset: offset, length: 0, isNegative: isNegative)
      #expect(try StepReport(wire: wire).histograms?.histograms.count == 1)
    }
  }

  @Test(
    "explicit bounds that are not finite and ascending are refused",
    arguments: [
      [0, 0], [1, 0], [0, 1, 1], [-1, -2, 3], [.nan], [0, .nan], [.nan, 0], [-.infinity, 0],
      [0, .infinity], [0, -0.0],
    ] as [[Double]]
  )
  func bounds(bounds: [Double]) throws {
    try Refusal(
      "",
      .outOfRange(
        field: "explicit_histograms.bounds",
        expected: "finite and ascending bounds",
        found: "others"
      )
    ) { $0.explicitHistograms.bounds = bounds }.check()
  }

  @Test("a histogram has at most 4,096 explicit bounds")
  func boundCount() throws {
    var wire = WireFixture.report()
    wire.explicitHistograms.bounds = (0..<4096).map { Double($0) }
    #expect(try StepReport(wire: wire).explicitHistograms?.bounds.count == 4096)
    try Refusal(
      "",
      .outOfRange(field: "explicit_histograms.bounds", expected: "at most 4096", found: "4097")
    ) { $0.explicitHistograms.bounds = (0..<4097).map { Double($0) } }.check()
  }

  @Test("explicit counts come in whole histograms of one count more than bounds")
  func explicitCounts() throws {
    try Refusal("", Self.length("explicit_histograms.counts", 5, 9)) {
      $0.explicitHistograms.counts.removeLast()
    }.check()
    try Refusal("", Self.length("explicit_histograms.counts", 0, 4)) {
      $0.explicitHistograms.counts = [1, 2, 3, 4]
    }.check()
    var wire = WireFixture.report()
    wire.explicitHistograms.counts = [7, 8]
    #expect(try StepReport(wire: wire).explicitHistograms?.counts == [7, 8])
  }

  @Test(
    "a profile through time has a norm for each position, and positions ascend",
    arguments: [
      Refusal("a norm too few", length("time_step_norms.norms", 3, 2)) {
        $0.timeStepNorms[0].norms.removeLast()
      },
      Refusal("norms without positions", length("time_step_norms.norms", 0, 1)) {
        $0.timeStepNorms[1].norms = [1]
      },
      Refusal("a repeated position", notAscending) { $0.timeStepNorms[0].positions = [0, 4, 4] },
      Refusal("descending positions", notAscending) { $0.timeStepNorms[0].positions = [2, 1, 3] },
    ]
  )
  func timeStepNorms(refusal: Refusal) throws { try refusal.check() }

  private static let notAscending = TelemetryError.outOfRange(
    field: "time_step_norms.positions",
    expected: "ascending positions",
    found: "a position that is not above the one before"
  )
}
