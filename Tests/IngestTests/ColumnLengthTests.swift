import Ingest
import Telemetry
import Testing

/// One column of a report, filled with so many values.
struct ColumnCase: Sendable, CustomTestStringConvertible {
  var column: String
  /// How many values there should be: a value a tensor, or a value a layer.
  var count: Int
  var fill: @Sendable (inout StepReport, Int) -> Void

  var testDescription: String { column }

  private static func gradients(
    _ name: String,
    _ fill: @escaping @Sendable (inout GradientColumns, Int) -> Void
  ) -> ColumnCase {
    ColumnCase(column: "gradients." + name, count: 3) { fill(&$0.gradients, $1) }
  }

  private static func activations(
    _ name: String,
    _ fill: @escaping @Sendable (inout ActivationColumns, Int) -> Void
  ) -> ColumnCase {
    ColumnCase(column: "activations." + name, count: 2) { fill(&$0.activations, $1) }
  }

  private static func floats(_ count: Int) -> [Float] { Array(repeating: .nan, count: count) }
  private static func counts(_ count: Int) -> [UInt64] { Array(repeating: 1, count: count) }

  static let all = [
    gradients("norm") { $0.norm = floats($1) },
    gradients("mean") { $0.mean = floats($1) },
    gradients("mean_abs") { $0.meanAbs = floats($1) },
    gradients("std") { $0.std = floats($1) },
    gradients("min") { $0.min = floats($1) },
    gradients("max") { $0.max = floats($1) },
    gradients("zero_count") { $0.zeroCount = counts($1) },
    gradients("nan_count") { $0.nanCount = counts($1) },
    gradients("positive_infinity_count") { $0.positiveInfinityCount = counts($1) },
    gradients("negative_infinity_count") { $0.negativeInfinityCount = counts($1) },
    ColumnCase(column: "parameters.norm", count: 3) { $0.parameters.norm = floats($1) },
    ColumnCase(column: "parameters.update_norm", count: 3) {
      $0.parameters.updateNorm = floats($1)
    },
    activations("mean") { $0.mean = floats($1) },
    activations("std") { $0.std = floats($1) },
    activations("zero_fraction") { $0.zeroFraction = floats($1) },
    activations("saturated_fraction") { $0.saturatedFraction = floats($1) },
    activations("dead_unit_fraction") { $0.deadUnitFraction = floats($1) },
  ]
}

@Suite("Lengths of columns")
struct ColumnLengthTests {
  @Test("a column of as many values as tensors or layers is accepted", arguments: ColumnCase.all)
  func fits(column: ColumnCase) throws {
    #expect(try Fixture.decision { column.fill(&$0, column.count) }.isAccepted)
  }

  @Test("a column of another length is refused, with both lengths", arguments: ColumnCase.all)
  func differs(column: ColumnCase) throws {
    for found in [1, column.count - 1, column.count + 1, 1000] {
      #expect(
        try Fixture.decision { column.fill(&$0, found) }
          == .refuse(
            .columnLength(column: column.column, expected: column.count, found: found)
          )
      )
    }
  }

  @Test("a column is as long as the ids of its group", arguments: ColumnCase.all)
  func partial(column: ColumnCase) throws {
    func decision(_ count: Int) throws -> Decision {
      try Fixture.decision {
        $0.gradients.tensorIDs = [1]
        $0.parameters.tensorIDs = [2]
        $0.activations.layerIDs = [1]
        column.fill(&$0, count)
      }
    }
    #expect(try decision(1).isAccepted)
    #expect(
      try decision(column.count)
        == .refuse(.columnLength(column: column.column, expected: 1, found: column.count))
    )
  }

  @Test("all columns together are accepted, and one wrong one among them is found")
  func together() throws {
    func fillAll(_ report: inout StepReport) {
      for column in ColumnCase.all { column.fill(&report, column.count) }
    }
    #expect(try Fixture.decision(fillAll).isAccepted)
    for wrong in ColumnCase.all {
      let decision = try Fixture.decision {
        fillAll(&$0)
        wrong.fill(&$0, wrong.count + 1)
      }
      #expect(decision.error?.field == wrong.column)
    }
  }

  @Test("a report of scalars only, and groups with ids and no column, are accepted")
  func empty() throws {
    #expect(try Fixture.decision { _ in }.isAccepted)
    #expect(
      try Fixture.decision {
        $0.gradients.tensorIDs = [2]
        $0.parameters.tensorIDs = [0, 1]
        $0.activations.layerIDs = [1]
      }.isAccepted
    )
  }
}
