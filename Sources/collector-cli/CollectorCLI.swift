import ArgumentParser

/// `collector-cli`: what people ask a collector.
struct CollectorCLI: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collector-cli",
    abstract: "Ask a gradwatch collector about training runs.",
    discussion: """
      Results go to standard output, diagnostics to standard error. On a terminal results are \
      tables and plots; in a pipe they are tab-separated values without colours. NaN and \
      infinities are the strings "NaN", "Infinity" and "-Infinity" in JSON, as in protobuf's JSON \
      mapping; times are RFC 3339 in UTC.

      Exit status: 0 done; 1 what 'diagnose --fail-on' names was found, a rule file has problems, \
      or its expectations are not met; 2 usage, or not possible in this state; 3 not found (run, \
      layer, alert, rule, silence); 4 collector unreachable, or deadline passed; 5 not \
      authenticated or not permitted; 70 internal error.

      Environment: GRADWATCH_ADDRESS is the default of --server; NO_COLOR, CLICOLOR_FORCE and TERM \
      decide about colours, LC_ALL, LC_CTYPE and LANG about Unicode.
      """,
    version: "0.1.0",
    subcommands: [
      QueryCommand.self, DiagnoseCommand.self, DiffCommand.self, WatchCommand.self,
      AcknowledgeCommand.self, ImportCommand.self, RulesCommand.self, SilenceCommand.self,
      RemovalCommand.self, RetentionCommand.self, StatsCommand.self, ServerCommand.self,
    ]
  )
}

/// `collector-cli query`: reads runs back.
struct QueryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query",
    abstract: "Read runs back: what happened, where, since when and why.",
    subcommands: [
      RunsCommand.self, RunCommand.self, LayersCommand.self, TimelineCommand.self,
      HeatmapCommand.self,
      HistogramCommand.self, LossCommand.self, AlertsCommand.self, AnnotationsCommand.self,
    ]
  )
}

/// `collector-cli server`: about the collector itself.
struct ServerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server",
    abstract: "Ask about the collector itself.",
    subcommands: [ServerInfoCommand.self]
  )
}
