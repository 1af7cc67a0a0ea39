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
      "table, json, jsonl, csv or tsv; a table on a terminal, tsv in a pipe.",
      valueName: "format"
    )
  )
  var output: OutputFormat?

  @Option(help: ArgumentHelp("auto, always or never.", valueName: "when"))
  var color: ColorChoice = .auto
}

/// Whether to draw the answer.
struct PlotOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Draw instead of listing; on a terminal that is what happens unless told otherwise."
  )
  var plot: Bool?

  /// Whether to draw to this output.
  ///
  /// - Throws: `ValidationError` if a drawing is asked for in a format for programs.
  func isWanted(in output: Output) throws -> Bool {
    guard plot == true, let format = output.chosenFormat, format != .table else {
      return plot ?? (output.terminal.isInteractive && output.format == .table)
    }
    throw ValidationError("--plot: expected no -o, or -o table, found -o \(format.rawValue)")
  }
}
