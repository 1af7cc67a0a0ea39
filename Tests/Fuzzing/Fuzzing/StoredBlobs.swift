import Foundation
import RunStore
import Telemetry
import TelemetryTesting

/// The blobs of a real file: what a store wrote of some random reports.
enum StoredBlobs {
  /// A run of the file.
  static let run = RunID(stored: "fuzz")
  /// Its producer.
  static let producer = ProducerID(stored: "p0")

  /// A model of three layers and five tensors.
  static func model() throws -> Model {
    try Model(
      layers: (0..<3).map { Layer(name: "layer\($0)", moduleType: "Linear", fanIn: 4) },
      tensors: (0..<5).map { index in
        Tensor(
          name: "layer\(index % 3).tensor\(index)",
          layer: UInt32(index % 3),
          role: .weight,
          shape: [2, 3],
          elementCount: 6
        )
      }
    )
  }

  /// Opens a store in a folder of its own, registers the run, and removes all when `body` is done.
  static func withStore<Value>(_ body: (SQLiteRunStore) throws -> Value) throws -> Value {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("gradwatch-fuzz-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = try SQLiteRunStore(path: folder.appendingPathComponent("fuzz.sqlite").path)
    defer { try? store.close() }
    let registration = try RunRegistration(
      run: run,
      project: "fuzz",
      tags: ["b", "a"],
      hyperparameters: ["rate": "0.1", "ü": ""],
      framework: "torch",
      producer: Producer(id: producer),
      model: model()
    )
    _ = try store.register(registration, at: WallTime(clamping: 1))
    return try body(store)
  }

  /// A change that appends a report.
  static func change(_ report: StepReport, snapshot: [UInt8]? = nil) -> RunChange {
    .report(
      RunChange.AcceptedReport(
        run: run,
        producer: producer,
        report: report,
        receivedAt: WallTime(clamping: 1e9),
        snapshot: snapshot
      )
    )
  }

  /// Every blob of one column after some reports were stored, and, if asked for, sealed.
  static func read(
    _ column: String,
    of table: String,
    sealed: Bool,
    reports: UInt64 = 24,
    using random: inout SeededGenerator
  ) throws -> [[UInt8]] {
    let changes = (1...reports).map { sequence in
      let report = StepReport.random(
        sequence,
        step: 3 * sequence,
        layers: 3,
        tensors: 5,
        using: &random
      )
      return change(report, snapshot: sequence == reports ? [1, 2, 3] : nil)
    }
    return try withStore { store in
      _ = try store.commit(changes)
      if sealed {
        _ = try store.commit([
          .finish(run: run, status: .finished, reason: "", at: WallTime(clamping: 2))
        ])
        while try store.sealNext() {}
      }
      let rows = try store.queryOnWriter(
        "SELECT hex(\(column)) FROM \(table) WHERE \(column) IS NOT NULL"
      )
      return rows.map { bytes(ofDigits: $0) }
    }
  }

  private static func bytes(ofDigits digits: String) -> [UInt8] {
    let values = digits.compactMap(\.hexDigitValue)
    return stride(from: 0, to: values.count - 1, by: 2).map {
      UInt8(values[$0] << 4 | values[$0 + 1])
    }
  }
}
