import Query
import RunStore
import Telemetry

/// A run of one layer and tensor in a SQLite store, beside what it must have.
struct StoredRun {
  let run: RunID
  let store: SQLiteRunStore
  /// The reports that no rewind dropped.
  private(set) var reports: [StepReport] = []
  private let producer = ProducerID(stored: "p0")
  private var sequence: UInt64 = 0

  /// Registers a run.
  init(_ run: String, of model: Model? = nil, in store: SQLiteRunStore) throws {
    (self.run, self.store) = (RunID(stored: run), store)
    let model =
      try model
      ?? Model(
        layers: [Layer(name: "hidden")],
        tensors: [Tensor(name: "hidden.weight", layer: 0, role: .weight, elementCount: 8)]
      )
    let registration = try RunRegistration(
      run: self.run,
      project: "tests",
      producer: Producer(id: producer),
      model: model
    )
    _ = try store.register(registration, at: WallTime(clamping: 1))
  }

  /// A reader of it.
  var reader: RunReader {
    get throws { try RunReader(run: run, store: store) }
  }

  /// Adds reports, whose steps ascend but for those that go back, and seals what fills segments.
  mutating func add(_ new: [StepReport]) throws {
    for start in stride(from: 0, to: new.count, by: 500) {
      var changes: [RunChange] = []
      for var report in new[start..<min(start + 500, new.count)] {
        sequence += 1
        report.sequence = sequence
        let rewinds = reports.last.map { $0.step >= report.step } ?? false
        while let last = reports.last, last.step >= report.step { reports.removeLast() }
        reports.append(report)
        changes.append(
          .report(
            RunChange.AcceptedReport(
              run: run,
              producer: producer,
              report: report,
              receivedAt: WallTime(clamping: 2),
              rewinds: rewinds
            )
          )
        )
      }
      changes.append(.snapshot(run: run, producer: producer, sequence: sequence, state: [1]))
      _ = try store.commit(changes)
      while try store.sealNext() {}
    }
  }
}
