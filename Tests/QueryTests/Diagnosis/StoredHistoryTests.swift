import Query
import RunStore
import Telemetry
import TelemetryTesting
import Testing

/// What a diagnosis reads from rollups, beside what every step of the run says.
@Suite("What a diagnosis reads of a long run")
struct StoredHistoryTests {
  private func read(_ run: StoredRun) throws -> CaseHistory {
    try CaseHistory(run: run.run, rules: [], store: run.store)
  }

  /// Steps with gaps and rewinds, a loss that begins late, is not always there, and is NaN at times, and others.
  private func reports(
    _ count: Int,
    _ names: [String],
    _ random: inout SeededGenerator
  ) -> [StepReport] {
    var step = UInt64.random(in: 0...9, using: &random)
    let begin = Int.random(in: 0...count / 2, using: &random)
    let odd = Int.random(in: 50...count, using: &random)
    let rewinds = [1_000: 20, count - 1_700: 1_500, count - 40: 30] as [Int: UInt64]
    return (0..<count).map { index in
      step =
        rewinds[index].map { step - min($0, step) } ?? step + .random(in: 1...3, using: &random)
      var scalars = StepScalars(step: step, wallTime: WallTime(clamping: 1))
      for name in names where index >= begin && Int.random(in: 0..<8, using: &random) > 0 {
        // Few values, so that the lowest comes more than once.
        let value = Double(Int.random(in: -40...40, using: &random))
        let isOdd = Int.random(in: 0..<odd, using: &random) == 0
        scalars.losses.append(
          NamedLoss(
            name: name,
            value: isOdd
              ? [.nan, .infinity, -.infinity, -0.0].randomElement(using: &random) ?? 0 : value
          )
        )
      }
      if Bool.random(using: &random) { scalars.learningRate = .random(in: 0...1, using: &random) }
      scalars.batchSize = UInt64(index)
      return StepReport(sequence: 0, scalars: scalars)
    }
  }

  /// The course of one loss, step by step.
  private func course(_ reports: [StepReport], _ name: String) -> LossCourse? {
    var course: LossCourse?
    for report in reports {
      guard let loss = report.scalars.losses.first(where: { $0.name == name })?.value else {
        continue
      }
      course?.add(step: report.step, loss: loss)
      course = course ?? LossCourse(step: report.step, loss: loss)
    }
    return course
  }

  private func bits(_ course: LossCourse?) -> [UInt64?]? {
    course.map {
      [
        $0.first.bitPattern, $0.best?.bitPattern, $0.bestStep, $0.last.bitPattern,
        $0.firstNonFiniteStep,
      ]
    }
  }

  @Test("it is what reading every step gives", arguments: 1...8 as ClosedRange<UInt64>)
  func differential(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    try await withTemporaryFolder { folder in
      let store = try SQLiteRunStore(path: "\(folder)/runs.sqlite")
      var run = try StoredRun("run-1", in: store)
      let names = [["loss"], ["train", "val"], ["aux", "loss"], ["loss", "aux"]].randomElement(
        using: &random
      )
      try run.add(
        reports(.random(in: 6_500...9_000, using: &random), names ?? [], &random)
      )
      let history = try read(run)
      let name =
        names == ["train", "val"] ? run.reports.flatMap(\.scalars.losses).first?.name : "loss"
      let expected = course(run.reports, name ?? "")
      #expect(bits(history.loss) == bits(expected), "seed \(seed)")
      #expect(history.stepCount == UInt64(run.reports.count), "seed \(seed)")
      #expect(
        history.learningRate
          == run.reports.last { $0.scalars.learningRate != nil }?.scalars.learningRate,
        "seed \(seed)"
      )
      #expect(history.batchSize == run.reports.last?.scalars.batchSize, "seed \(seed)")
      #expect(try store.queryOnWriter("SELECT count(*) > 0 FROM rollups") == ["1"])
      // As an earlier version wrote them.
      try store.executeOnWriter("DELETE FROM rollup_scalars")
      #expect(try bits(read(run).loss) == bits(expected), "seed \(seed)")
      try store.close()
    }
  }

  @Test("nor does it touch the steps that were summed up, unless something happened there")
  func untouched() async throws {
    try await withTemporaryFolder { folder in
      let store = try SQLiteRunStore(path: "\(folder)/runs.sqlite")
      var run = try StoredRun("run-1", in: store)
      try run.add(
        (0..<9_000 as Range<UInt64>).map { step in
          var scalars = StepScalars(step: step, wallTime: WallTime(clamping: 1))
          // Lowest in the middle of segment 12.
          scalars.losses = [NamedLoss(name: "loss", value: abs(Double(step) - 2_900))]
          return StepReport(sequence: 0, scalars: scalars)
        }
      )
      let expected = try read(run).loss
      #expect(expected?.bestStep == 2_900)
      // None of these is looked at: the first, the lowest and the last step are elsewhere.
      try store.executeOnWriter(
        "UPDATE segment_scalars SET body = x'00' WHERE segment BETWEEN 4 AND 9 OR segment BETWEEN 17 AND 30"
      )
      #expect(try read(run).loss == expected)
      try store.executeOnWriter("UPDATE segment_scalars SET body = x'00' WHERE segment = 12")
      let error = #expect(throws: QueryError.self) { try read(run) }
      guard case .store(.damaged(let place, _)) = error else {
        Issue.record("expected damage, found \(String(describing: error))")
        return
      }
      #expect(place == "run run-1, producer p0, scalars of steps 2816...3071")
      try store.close()
    }
  }

  @Test("a run that went on from a far step, and one without a loss")
  func edges() async throws {
    try await withTemporaryFolder { folder in
      let store = try SQLiteRunStore(path: "\(folder)/runs.sqlite")
      var far = try StoredRun("far", in: store)
      #expect(try read(far).loss == nil)
      #expect(try read(far).stepCount == 0)
      let first: UInt64 = 1 << 60
      try far.add(
        (first..<first + 300).map { step in
          var scalars = StepScalars(step: step, wallTime: WallTime(clamping: 1))
          scalars.losses = [NamedLoss(name: "loss", value: step == first + 200 ? .nan : 1)]
          return StepReport(sequence: 0, scalars: scalars)
        }
      )
      let course = try read(far).loss
      #expect(course?.bestStep == first)
      #expect(course?.firstNonFiniteStep == first + 200)
      var silent = try StoredRun("silent", in: store)
      try silent.add([
        StepReport(sequence: 0, scalars: StepScalars(step: 7, wallTime: WallTime(clamping: 1)))
      ])
      let history = try read(silent)
      #expect(history.loss == nil && history.stepCount == 1)
      #expect(history.learningRate == nil && history.batchSize == nil)
      try store.close()
    }
  }
}
