import Ingest
import Telemetry
import Testing

@Suite("Totals of histograms")
struct HistogramTotalTests {
  /// One histogram a tensor, whose elements are `totals`, in both signs and in the zeros.
  private static func exponential(_ totals: [UInt64]) -> ExponentialHistogramColumn {
    var column = ExponentialHistogramColumn()
    for total in totals {
      let part = total / 4
      column.append(
        ExponentialHistogram(
          zeroCount: part,
          positive: .init(offset: -3, counts: [part, total - 3 * part]),
          negative: .init(offset: 2, counts: [part])
        )
      )
    }
    return column
  }

  private static func explicit(_ totals: [UInt64]) -> ExplicitHistogramColumn {
    var column = ExplicitHistogramColumn()
    column.bounds = [-1, 1]
    column.counts = totals.flatMap { [$0 / 3, $0 / 3, $0 - 2 * ($0 / 3)] }
    return column
  }

  /// The two forms of histogram, which obey the same rules.
  enum Form: CaseIterable {
    case exponential, explicit

    func set(_ report: inout StepReport, _ totals: [UInt64], ids: [UInt32] = []) {
      switch self {
      case .exponential:
        report.histograms = HistogramTotalTests.exponential(totals)
        report.histograms?.tensorIDs = ids
      case .explicit:
        report.explicitHistograms = HistogramTotalTests.explicit(totals)
        report.explicitHistograms?.tensorIDs = ids
      }
    }

    var column: String {
      self == .exponential ? "histograms.zero_count" : "explicit_histograms.counts"
    }

    /// The values that the column has for each tensor.
    var width: Int { self == .exponential ? 1 : 3 }
  }

  @Test("counts that add up to each tensor's elements are accepted", arguments: Form.allCases)
  func fits(form: Form) throws {
    #expect(try Fixture.decision { form.set(&$0, [16, 4, 8]) }.isAccepted)
    #expect(try Fixture.decision { form.set(&$0, [8, 16], ids: [2, 0]) }.isAccepted)
  }

  @Test("one element too many or too few is refused, by tensor", arguments: Form.allCases)
  func differs(form: Form) throws {
    for (totals, ids, tensor, expected, found) in [
      ([15, 4, 8], [], "hidden.weight", 16, 15), ([16, 5, 8], [], "hidden.bias", 4, 5),
      ([16, 4, 0], [], "output.weight", 8, 0), ([16, 8], [2, 0], "output.weight", 8, 16),
    ] as [([UInt64], [UInt32], String, UInt64, UInt64)] {
      #expect(
        try Fixture.decision { form.set(&$0, totals, ids: ids) }
          == .refuse(.histogramTotal(tensor: tensor, expected: expected, found: found))
      )
    }
  }

  @Test("another number of histograms than of tensors is refused", arguments: Form.allCases)
  func number(form: Form) throws {
    for (totals, ids, expected) in [
      ([16, 4], [], 3), ([16, 4, 8, 8], [], 3), ([16], [0, 1], 2), ([], [], 3),
    ] as [([UInt64], [UInt32], Int)] {
      #expect(
        try Fixture.decision { form.set(&$0, totals, ids: ids) }
          == .refuse(
            .columnLength(
              column: form.column,
              expected: expected * form.width,
              found: totals.count * form.width
            )
          )
      )
    }
  }

  @Test("NaN and infinite elements count with the histogram", arguments: Form.allCases)
  func nonFinite(form: Form) throws {
    func decision(_ totals: [UInt64]) throws -> Decision {
      try Fixture.decision {
        form.set(&$0, totals)
        $0.gradients.nanCount = [1, 4, 0]
        $0.gradients.positiveInfinityCount = [2, 0, 0]
        $0.gradients.negativeInfinityCount = [3, 0, 1]
      }
    }
    #expect(try decision([10, 0, 7]).isAccepted)
    #expect(
      try decision([16, 0, 7])
        == .refuse(.histogramTotal(tensor: "hidden.weight", expected: 16, found: 22))
    )
    #expect(
      try decision([10, 0, 8])
        == .refuse(.histogramTotal(tensor: "output.weight", expected: 8, found: 9))
    )
  }

  @Test("one measured column of non-finite counts suffices", arguments: Form.allCases)
  func oneColumn(form: Form) throws {
    for set in [
      { $0.nanCount = [6, 0, 0] }, { $0.positiveInfinityCount = [6, 0, 0] },
      { $0.negativeInfinityCount = [6, 0, 0] },
    ] as [(inout GradientColumns) -> Void] {
      #expect(
        try Fixture.decision {
          form.set(&$0, [10, 4, 8])
          set(&$0.gradients)
        }.isAccepted
      )
    }
  }

  @Test("non-finite counts are found by tensor, in whatever order", arguments: Form.allCases)
  func nonFiniteByTensor(form: Form) throws {
    func decision(_ totals: [UInt64], _ ids: [UInt32]) throws -> Decision {
      try Fixture.decision {
        form.set(&$0, totals, ids: ids)
        $0.gradients.tensorIDs = [2, 0]
        $0.gradients.nanCount = [5, 6]
      }
    }
    #expect(try decision([10, 4, 3], []).isAccepted)
    #expect(try decision([4, 3], [1, 2]).isAccepted)
    #expect(
      try decision([10, 4, 8], [])
        == .refuse(.histogramTotal(tensor: "output.weight", expected: 8, found: 13))
    )
  }

  @Test("a sum that overflows to the right total is refused", arguments: Form.allCases)
  func overflow(form: Form) throws {
    let expected = Decision.refuse(
      .histogramTotal(tensor: "hidden.weight", expected: 16, found: .max)
    )
    #expect(
      try Fixture.decision {
        form.set(&$0, [16, 4, 8])
        $0.histograms?.counts[0] = .max
        $0.histograms?.counts[1] = 9
        $0.explicitHistograms?.counts[0] = .max
        $0.explicitHistograms?.counts[2] = 12
      } == expected
    )
    #expect(
      try Fixture.decision {
        form.set(&$0, [16, 4, 8])
        $0.gradients.nanCount = [.max, 0, 0]
        $0.gradients.positiveInfinityCount = [1, 0, 0]
      } == expected
    )
  }

  @Test("a report may carry both forms, and both are looked at")
  func both() throws {
    func decision(_ exponential: [UInt64], _ explicit: [UInt64]) throws -> Decision {
      try Fixture.decision {
        Form.exponential.set(&$0, exponential)
        Form.explicit.set(&$0, explicit)
      }
    }
    #expect(try decision([16, 4, 8], [16, 4, 8]).isAccepted)
    #expect(try decision([16, 4, 7], [16, 4, 8]).error?.field.hasSuffix("output.weight") == true)
    #expect(try decision([16, 4, 8], [16, 3, 8]).error?.field.hasSuffix("hidden.bias") == true)
  }
}
