import Query
import RunStore
import Telemetry
import TelemetryTesting
import Testing

@Suite("Two long runs side by side")
struct StoredComparisonTests {
  private let model: Model

  init() throws {
    model = try Model(
      layers: [Layer(name: "pair"), Layer(name: "single")],
      tensors: [
        Tensor(name: "pair.weight", layer: 0, role: .weight, elementCount: 8),
        Tensor(name: "single.weight", layer: 1, role: .weight, elementCount: 8),
        Tensor(name: "pair.bias", layer: 0, role: .bias, elementCount: 2),
      ]
    )
  }

  /// How two runs may differ.
  private struct Course {
    /// What of a hundred steps a run does not have.
    var gaps: Int
    /// What of a thousand steps is odd: NaN, a tensor that is missing, no gradients at all, a skipped step.
    var odd: Int
    /// From where on run b is further up, and how far.
    var fault: UInt64
    var factor: Float
    /// Whether both have the same noise.
    var isSameSeed: Bool
  }

  private func reports(
    _ steps: Range<UInt64>,
    _ course: Course,
    isB: Bool,
    _ random: inout SeededGenerator
  ) -> [StepReport] {
    var shared = SeededGenerator(seed: course.isSameSeed ? 9 : random.next())
    return steps.compactMap { step in
      let scale: Float = isB && step >= course.fault ? course.factor : 1
      let noise = (0..<4).map { _ in Float.random(in: 0.8...1.2, using: &shared) }
      guard !(0..<course.gaps).contains(.random(in: 0..<100, using: &random)) else { return nil }
      var scalars = StepScalars(step: step, wallTime: WallTime(clamping: 1))
      scalars.losses = [NamedLoss(name: "loss", value: Double(noise[0] * scale))]
      if step % 50 == 0 { scalars.losses.append(NamedLoss(name: "val", value: Double(noise[1]))) }
      scalars.learningRate = step < course.fault || !isB ? 0.1 : 0.01
      scalars.batchSize = 64
      var report = StepReport(sequence: 0, scalars: scalars)
      report.gradients.norm = [noise[1] * scale, noise[2], noise[3]]
      guard Int.random(in: 0..<1_000, using: &random) < course.odd else { return report }
      switch Int.random(in: 0..<5, using: &random) {
      case 0: report.gradients.norm[1] = .nan
      case 1: report.gradients.norm = []
      case 2: report.gradients = .init()
      case 3:
        report.scalars.optimizerSkipped = true
        report.gradients.norm[0] = .infinity
      default:
        report.gradients.tensorIDs = [0, 1]
        report.gradients.norm.removeLast()
        report.scalars.losses = []
      }
      return report
    }
  }

  @Test(
    "the answer is that of looking at one step after the other",
    arguments: 1...12 as ClosedRange<UInt64>
  )
  func differential(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let course = Course(
      gaps: [0, 0, 3, 60].randomElement(using: &random) ?? 0,
      odd: [0, 0, 1, 20].randomElement(using: &random) ?? 0,
      fault: .random(in: 0...12_000, using: &random),
      factor: [1.02, 3, 100].randomElement(using: &random) ?? 1,
      isSameSeed: Int.random(in: 0..<3, using: &random) > 0
    )
    try await withTemporaryFolder { folder in
      let store = try SQLiteRunStore(path: "\(folder)/runs.sqlite")
      var a = try StoredRun("a", of: model, in: store)
      var b = try StoredRun("b", of: model, in: store)
      let starts = (0..<2).map { _ in UInt64.random(in: 0...300, using: &random) }
      let ends = (0..<2).map { _ in UInt64.random(in: 7_000...10_000, using: &random) }
      try a.add(reports(starts[0]..<ends[0], course, isB: false, &random))
      try b.add(reports(starts[1]..<ends[1], course, isB: true, &random))
      // It went back, and on in another way.
      try b.add(reports(ends[1] - 700..<ends[1] + 300, course, isB: true, &random))
      var comparer = try RunComparer(
        a: try a.reader,
        b: try b.reader,
        options: ComparisonOptions()
      )
      while try comparer.advance() {}
      let (comparison, layers) = try comparer.finish()
      let found = StepwiseComparison(comparison, layers).lines
      let expected = StepwiseComparison(a.reports, b.reports, model).lines
      #expect(found.count == expected.count)
      for (found, expected) in zip(found, expected) {
        #expect(found == expected, "seed \(seed), \(course)")
      }
      #expect(comparison.a.stepCount == UInt64(a.reports.count))
      #expect(comparison.b.ownStepCount == UInt64(b.reports.count) - comparison.commonStepCount)
      #expect(comparison.a.lastStep == a.reports.last?.step)
      try store.close()
    }
  }

  @Test("damage is named, wherever it is")
  func damage() async throws {
    let course = Course(gaps: 0, odd: 0, fault: 9_999, factor: 1, isSameSeed: true)
    var random = SeededGenerator(seed: 1)
    try await withTemporaryFolder { folder in
      let store = try SQLiteRunStore(path: "\(folder)/runs.sqlite")
      var a = try StoredRun("a", of: model, in: store)
      var b = try StoredRun("b", of: model, in: store)
      try a.add(reports(0..<6_000, course, isB: false, &random))
      try b.add(reports(0..<6_000, course, isB: true, &random))
      func expectDamage(_ statement: String, _ place: String) throws {
        try store.executeOnWriter(statement)
        let error = #expect(throws: QueryError.self) {
          var comparer = try RunComparer(a: a.reader, b: b.reader, options: ComparisonOptions())
          while try comparer.advance() {}
        }
        guard case .store(.damaged(place, _)) = error else {
          Issue.record("expected damage, found \(String(describing: error))")
          return
        }
      }
      // Of run a, whose segments are 1 to 23, tensor 2; and then an earlier segment's scalars.
      try expectDamage(
        "UPDATE chunks SET body = x'00' WHERE key = 20 * 262144 + 2",
        "run a, producer p0, tensor pair.bias, steps 4864...5119"
      )
      try expectDamage(
        "UPDATE segment_scalars SET body = x'00' WHERE segment = 3",
        "run a, producer p0, scalars of steps 512...767"
      )
      try store.close()
    }
  }
}
