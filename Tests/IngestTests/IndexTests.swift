import Ingest
import Telemetry
import Testing

/// The ids of one group of columns.
struct IndexCase: Sendable, CustomTestStringConvertible {
  var column: String
  /// How many tensors or layers the model has.
  var count: Int
  var set: @Sendable (inout StepReport, [UInt32]) -> Void

  var testDescription: String { column }

  static let all = [
    IndexCase(column: "gradients.tensor_ids", count: 3) { $0.gradients.tensorIDs = $1 },
    IndexCase(column: "parameters.tensor_ids", count: 3) { $0.parameters.tensorIDs = $1 },
    IndexCase(column: "activations.layer_ids", count: 2) { $0.activations.layerIDs = $1 },
    IndexCase(column: "histograms.tensor_ids", count: 3) { report, ids in
      var column = ExponentialHistogramColumn()
      for id in ids {
        // Unknown and repeated ids are found before any total is looked at.
        let elements: [UInt64] = [16, 4, 8]
        let count = Int(id) < elements.count ? elements[Int(id)] : 0
        column.append(ExponentialHistogram(zeroCount: count))
      }
      column.tensorIDs = ids
      report.histograms = column
    },
    IndexCase(column: "explicit_histograms.tensor_ids", count: 3) { report, ids in
      var column = ExplicitHistogramColumn()
      let elements: [UInt64] = [16, 4, 8]
      column.counts = ids.map { Int($0) < elements.count ? elements[Int($0)] : 0 }
      column.tensorIDs = ids
      report.explicitHistograms = column
    },
  ]
}

@Suite("Ids of tensors and layers")
struct IndexTests {
  private func decision(_ group: IndexCase, _ ids: [UInt32]) throws -> Decision {
    try Fixture.decision { group.set(&$0, ids) }
  }

  @Test("ids are accepted in any order", arguments: IndexCase.all)
  func anyOrder(group: IndexCase) throws {
    let all = Array(0..<UInt32(group.count))
    let orders: [[UInt32]] = [
      all, all.reversed(), [all[1], all[0]], [UInt32(group.count) - 1], [0],
    ]
    for ids in orders {
      #expect(try decision(group, ids).isAccepted, "\(ids)")
    }
  }

  @Test("an id that the model does not have is refused", arguments: IndexCase.all)
  func unknown(group: IndexCase) throws {
    let count = UInt32(group.count)
    for (ids, index) in [
      ([count], count), ([0, .max], .max), ([count + 5, 0], count + 5),
    ] as [([UInt32], UInt32)] {
      #expect(
        try decision(group, ids)
          == .refuse(
            .unknownIndex(column: group.column, index: Int(index), count: group.count)
          )
      )
    }
  }

  @Test("a repeated id is refused, side by side or apart", arguments: IndexCase.all)
  func repeated(group: IndexCase) throws {
    let apart: [[UInt32]] = group.count > 2 ? [[0, 1, 0], [2, 0, 2]] : []
    for ids in [[0, 0], [1, 1]] + apart {
      #expect(
        try decision(group, ids)
          == .refuse(
            .outOfRange(field: group.column, expected: "each id once", found: "a repeated one")
          )
      )
    }
  }

  @Test("more ids than the model has are refused", arguments: IndexCase.all)
  func tooMany(group: IndexCase) throws {
    let ids = Array(0...UInt32(group.count))
    #expect(
      try decision(group, ids)
        == .refuse(
          .columnLength(column: group.column, expected: group.count, found: group.count + 1)
        )
    )
  }

  @Test("profiles through time must be of layers that the model has, one of each")
  func timeStepNorms() throws {
    func decision(_ layers: [UInt32]) throws -> Decision {
      try Fixture.decision { report in
        report.timeStepNorms = layers.map {
          TimeStepNorms(layer: $0, positions: [0, 1], norms: [1, .nan])
        }
      }
    }
    #expect(try decision([1, 0]).isAccepted)
    for unknown in [UInt32(2), .max] {
      #expect(
        try decision([0, unknown])
          == .refuse(
            .unknownIndex(column: "time_step_norms.layer_id", index: Int(unknown), count: 2)
          )
      )
    }
    #expect(
      try decision([1, 1])
        == .refuse(
          .outOfRange(
            field: "time_step_norms.layer_id",
            expected: "each id once",
            found: "a repeated one"
          )
        )
    )
  }
}
