import ArgumentParser
import TerminalOutput

/// In what form an answer without columns is written.
enum DocumentFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// For people.
  case table
  /// One document.
  case json
  /// One object a line, as they arrive.
  case jsonl

  /// The same among all forms.
  var format: OutputFormat {
    switch self {
    case .table: .table
    case .json: .json
    case .jsonl: .jsonl
    }
  }
}

/// How to write an answer without columns.
struct DocumentOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The form of the answer.", valueName: "format")
  )
  var output: DocumentFormat?

  @Option(help: ArgumentHelp("Whether to use colours.", valueName: "when"))
  var color: ColorChoice = .auto
}
