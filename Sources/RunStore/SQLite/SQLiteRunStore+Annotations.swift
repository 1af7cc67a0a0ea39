import GRDB
import Telemetry

extension SQLiteRunStore {
  /// A page of what was done at a run's steps, the newest first; no report is read.
  public func annotations(
    _ filter: AnnotationFilter,
    page: PageRequest
  ) throws(RunStoreError) -> Page<StoredAnnotation> {
    try read("list annotations of run \(filter.run)") { db in
      guard let run = try db.runKey(of: filter.run) else {
        throw RunStoreError.unknownRun(filter.run)
      }
      var listing = Listing(
        columns: """
          key, (SELECT p.id FROM producers p WHERE p.key = producer), step, received_at, action, \
          detail, alert
          """,
        table: "annotations",
        page: page
      )
      listing.require("run = ?", .integer(run))
      if let producer = filter.producer {
        listing.require("producer = ?", .integer(try db.keys(of: filter.run, producer).producer))
      }
      listing.require(
        "step BETWEEN ? AND ?",
        .number(filter.steps.lowerBound),
        .number(filter.steps.upperBound)
      )
      return try listing.page(in: db) { row in
        StoredAnnotation(
          producer: ProducerID(stored: row.text(1)),
          step: row.number(2),
          receivedAt: WallTime(clamping: row.real(3)),
          annotation: StepAnnotation(
            action: row.text(4),
            detail: row.text(5),
            alert: row.isNull(6) ? nil : AlertID(row.text(6))
          )
        )
      }
    }
  }
}
