import ArgumentParser
import Telemetry
import TraceFile

/// `import traces`.
struct ImportTracesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "traces",
    abstract: "Stream recorded runs, one after the other, as if they trained now.",
    discussion: """
      A trace is JSON lines, gzip or plain: first the model, then a line a recorded step. A run's \
      id is its file's name without .jsonl and .gz; what a trace says of its name and of its ground \
      truth ("run", "label") is not read. A repeated import sends only what the collector does not \
      have. JSON: {"runs": [{"run_id", "file", "steps", "sent", "refused", "last_step"}, ...]}; \
      jsonl: a run a line, as each is done. Steps that the collector had before are in "steps" and \
      not in "sent".
      """
  )

  @Argument(help: ArgumentHelp("The traces.", valueName: "file"))
  var files: [String]

  @Option(help: "The project that groups the runs.")
  var project = "traces"

  @Option(help: ArgumentHelp("Text in front of each run's id.", valueName: "text"))
  var runPrefix = ""

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("The run's id; of one file only.", valueName: "id")
  )
  var runID: String?

  @Flag(help: "No progress on standard error.")
  var quiet = false

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if runID != nil, files.count > 1 {
      throw ValidationError("--run: expected one file, found \(files.count)")
    }
    do throws(TelemetryError) {
      try Name.check(project, field: "--project")
    } catch {
      throw ValidationError("\(error)")
    }
  }

  func run() async throws {
    let output = Output(output)
    let runs = try namedRuns()
    let results = try await Connection.with(connection) { connection in
      let replay = TraceImport(connection: connection, timeouts: self.connection, project: project)
      var results: [ImportedRun] = []
      for (index, (file, run)) in runs.enumerated() {
        let result = try await replay.run(file, as: run)
        results.append(result)
        if output.format == .jsonl { try output.write(result.json + "\n") }
        if !quiet {
          Diagnostics.write("[\(index + 1)/\(runs.count)] \(run): \(result.sentence)")
        }
      }
      return results
    }
    try ImportedRun.write(results, to: output)
    try ImportedRun.checkNoneRefused(results)
  }

  /// The files and the ids of their runs, each another one.
  private func namedRuns() throws -> [(file: String, run: RunID)] {
    var files: [RunID: String] = [:]
    return try self.files.map { file in
      // A file may be called anything, and a run may not.
      let text = runID ?? runPrefix + TraceFile.name(ofFile: file)
      let run: RunID
      do throws(TelemetryError) {
        run = try RunID(text)
      } catch {
        throw CommandFailure(.usage, "\(file): \(error)", hint: "choose the run's id with --run")
      }
      if let other = files.updateValue(file, forKey: run) {
        throw CommandFailure(
          .usage,
          "\(file): expected a name that no other trace has, found that of \(other)",
          hint: "import them one by one, with --run-prefix"
        )
      }
      return (file, run)
    }
  }
}
