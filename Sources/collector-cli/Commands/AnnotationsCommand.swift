import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `query annotations`.
struct AnnotationsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "annotations",
    abstract: "List what was done about a run at its steps, the newest first.",
    discussion: """
      A training loop that acts on alerts (lowers its rate, clips, stops) sends what it did with \
      the report of the step. JSON: {"annotations": [gradwatch.v1.AnnotationEntry, ...]}; jsonl: \
      an AnnotationEntry a line.
      """
  )

  @Argument(help: "The run's id.")
  var runID: String

  @Option(help: "Only those of this producer.")
  var producer: String = ""

  @Option(
    help: ArgumentHelp("Only those of these steps: A:B, A:, :B or N.", valueName: "range"),
    transform: StepRange.parse
  )
  var steps: StepRange?

  @Option(help: "At most so many; 0: all.")
  var limit: UInt32 = 100

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_ListAnnotationsRequest.with {
      $0.runID = runID
      $0.producerID = producer
      if let steps { $0.steps = steps.message }
    }
    let limit = Limit(limit)
    let (annotations, hasMore) = try await Connection.with(connection) { connection in
      try await connection.annotations(request, limit: limit.count)
    }
    try output.write(
      annotations,
      member: "annotations",
      columns: AnnotationsTable.columns,
      row: AnnotationsTable.fields
    ) {
      AnnotationsTable.rendered(annotations, showsProducer: true, on: output.terminal)
    }
    limit.note(hasMore: hasMore, of: "annotations")
  }
}
