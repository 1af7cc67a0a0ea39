import ArgumentParser
import TelemetryWire

/// Whose rules are meant.
struct RuleTargetOptions: ParsableArguments {
  @Option(help: "The runs of this project.")
  var project: String?

  @Option(name: .customLong("run"), help: ArgumentHelp("This run.", valueName: "run-id"))
  var runID: String?

  func validate() throws {
    if project != nil, runID != nil {
      throw ValidationError("--project, --run: expected at most one of the two, found both")
    }
  }

  /// For whom to list.
  var listed: Gradwatch_V1_ListRulesRequest.OneOf_Target? {
    runID.map { .runID($0) } ?? project.map { .project($0) }
  }

  /// In words.
  var words: String {
    runID.map { "run \($0)" } ?? project.map { "project \($0)" } ?? "no project or run"
  }
}
