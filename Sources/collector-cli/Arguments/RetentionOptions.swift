import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// How much of a project is kept.
struct RetentionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Runs that ended longer ago go, such as 30d or 12h.", valueName: "time"),
    transform: TimeSpan.parse
  )
  var olderThan: TimeSpan?

  @Option(
    help: ArgumentHelp("So many runs of a project stay.", valueName: "runs"),
    transform: UInt64.parse
  )
  var keep: UInt64?

  @Option(
    help: ArgumentHelp(
      "Runs of a project may take so much, such as 500MB or 20GB (or a number of bytes).",
      valueName: "size"
    ),
    transform: ByteCount.parse
  )
  var maxBytes: ByteCount?

  /// The limits; `nil` if none was given.
  var retention: Gradwatch_V1_Retention? {
    guard olderThan != nil || keep != nil || maxBytes != nil else { return nil }
    return .with { retention in
      if let olderThan { retention.maximumAgeSeconds = olderThan.seconds }
      if let keep { retention.maximumRuns = keep }
      if let maxBytes { retention.maximumBytes = maxBytes.bytes }
    }
  }
}
