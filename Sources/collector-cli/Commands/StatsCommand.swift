import ArgumentParser
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `stats`.
struct StatsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Show how a collector is: memory, database, streams, and what became of reports.",
    discussion: "JSON and jsonl: the gradwatch.v1.GetStatsResponse."
  )

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let stats = try await Connection.with(connection) { connection in
      try await connection.admin.getStats(.init(), options: connection.unary)
    }
    switch output.format {
    case .json: try output.write(document: Output.json(stats))
    case .jsonl: try output.write(line: stats)
    case .csv, .tsv:
      try output.write(
        columns: ["name", "value"],
        rows: Self.records(of: stats).map { [.text($0.name), $0.value] }
      )
    case .table: try output.write(labelled: Self.entries(of: stats))
    }
  }

  private static func entries(
    of stats: Gradwatch_V1_GetStatsResponse
  ) -> [(name: String, value: String)] {
    let size = stats.size
    let reports = stats.reports
    func number(_ count: UInt64) -> String { NumberText.grouped(count) }
    func bytes(_ count: UInt64) -> String { NumberText.bytes(count) }
    return [
      ("up", "\(TimeText.span(stats.uptimeSeconds)), since \(stats.startedAt.text)"),
      ("memory", stats.hasResidentBytes ? bytes(stats.residentBytes) : "unknown"),
      ("database", "\(bytes(size.databaseBytes)), of which \(bytes(size.freeBytes)) free"),
      ("write-ahead log", bytes(size.writeAheadLogBytes)),
      ("runs", number(stats.runs)), ("reports to seal", number(stats.unsealedReports)),
      ("runs being deleted", number(stats.deletionsInProgress)),
      ("producers", "\(stats.liveProducers) of at most \(stats.maximumLiveProducers)"),
      (
        "waiting for disk",
        "\(bytes(stats.pendingBytes)) of at most \(bytes(stats.maximumPendingBytes))"
      ),
      ("streams", "\(stats.streams)"), ("subscribers", "\(stats.subscribers)"),
      (
        "reports",
        "\(number(reports.accepted)) accepted, \(number(reports.refused)) refused, "
          + "\(number(reports.duplicate)) sent again, \(number(reports.early)) early"
      ),
    ]
  }

  /// The same for programs: a number each, named as in the proto.
  private static func records(
    of stats: Gradwatch_V1_GetStatsResponse
  ) -> [(name: String, value: DelimitedText.Field)] {
    [
      ("started_at", .text(stats.startedAt.text)), ("uptime_seconds", .real(stats.uptimeSeconds)),
      ("resident_bytes", stats.hasResidentBytes ? .integer(stats.residentBytes) : .missing),
      ("database_bytes", .integer(stats.size.databaseBytes)),
      ("write_ahead_log_bytes", .integer(stats.size.writeAheadLogBytes)),
      ("free_bytes", .integer(stats.size.freeBytes)), ("runs", .integer(stats.runs)),
      ("unsealed_reports", .integer(stats.unsealedReports)),
      ("deletions_in_progress", .integer(stats.deletionsInProgress)),
      ("live_producers", .integer(UInt64(stats.liveProducers))),
      ("maximum_live_producers", .integer(UInt64(stats.maximumLiveProducers))),
      ("pending_bytes", .integer(stats.pendingBytes)),
      ("maximum_pending_bytes", .integer(stats.maximumPendingBytes)),
      ("streams", .integer(UInt64(stats.streams))),
      ("subscribers", .integer(UInt64(stats.subscribers))),
      ("reports_accepted", .integer(stats.reports.accepted)),
      ("reports_refused", .integer(stats.reports.refused)),
      ("reports_duplicate", .integer(stats.reports.duplicate)),
      ("reports_early", .integer(stats.reports.early)),
    ]
  }
}
