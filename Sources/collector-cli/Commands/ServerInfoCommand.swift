import ArgumentParser
import Foundation
import GradwatchClient
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `server info`.
struct ServerInfoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show a collector's version, limits, clock and rules.",
    discussion: "JSON and jsonl: the gradwatch.v1.GetServerInfoResponse."
  )

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let (address, info) = try await Connection.with(connection) { connection in
      (
        connection.address,
        try await connection.query.getServerInfo(.init(), options: connection.unary)
      )
    }
    let entries = entries(of: info, at: address)
    switch output.format {
    case .json: try output.write(document: Output.json(info))
    case .jsonl: try output.write(line: info)
    case .csv, .tsv:
      try output.write(
        columns: ["name", "value"],
        rows: entries.map { [.text($0.name), .text($0.value)] }
      )
    case .table: try output.write(labelled: entries)
    }
  }

  private func entries(
    of info: Gradwatch_V1_GetServerInfoResponse,
    at address: CollectorAddress
  ) -> [(name: String, value: String)] {
    let limits = info.limits
    let ahead = info.serverTime.seconds - Date().timeIntervalSince1970
    return [
      ("address", "\(address)"), ("version", info.version),
      ("clock", info.serverTime.text),
      ("clock ahead of ours", "\(NumberText.short(ahead, digits: 3)) s"),
      ("largest message", NumberText.bytes(limits.maximumMessageBytes)),
      ("reports in flight", "\(limits.streamCredits) a stream"),
      ("largest page", "\(limits.maximumPageSize) entries"),
      ("longest name", "\(limits.maximumNameBytes) bytes"),
      (
        "largest model",
        "\(NumberText.grouped(UInt64(limits.maximumModelEntries))) layers or tensors"
      ),
      ("keepalive pings", "at least \(limits.minimumKeepaliveSeconds) s apart"),
      ("compression", limits.compression.joined(separator: ", ")),
      ("rules", info.rules.joined(separator: ", ")),
    ]
  }
}
