public import ArgumentParser
public import TerminalOutput

extension ColorChoice: ExpressibleByArgument {}

/// In what form an answer is written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// For people.
  case table
  /// One document.
  case json
  /// One object a line, as they arrive.
  case jsonl
  /// RFC 4180, with a line of names.
  case csv
  /// Tab-separated, with a line of names.
  case tsv
}

/// How to write the answer.
struct OutputOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The form of the answer; a table on a terminal, tsv in a pipe if not set.",
      valueName: "format"
    )
  )
  var output: OutputFormat?

  @Option(help: ArgumentHelp("Whether to use colours.", valueName: "when"))
  var color: ColorChoice = .auto
}

/// Whether to draw the answer.
struct PlotOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Draw instead of listing; on a terminal that is what happens unless told otherwise."
  )
  var plot: Bool?

  /// Refuses a drawing in a format for programs.
  func check(with output: OutputOptions) throws {
    guard plot == true, let format = output.output, format != .table else { return }
    throw ValidationError("--plot: expected no -o, or -o table, found -o \(format.rawValue)")
  }

  /// Whether to draw to this output.
  func isWanted(in output: Output) -> Bool {
    plot ?? (output.terminal.isInteractive && output.format == .table)
  }
}
