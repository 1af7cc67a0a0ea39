import ArgumentParser
import Telemetry
import TrainingEngine

/// `training-client run`: trains experiments, one after the other, and streams every step.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Train experiments and stream every step.",
    discussion: """
      Alerts and the last line of each run go to standard output, progress to standard error. \
      Exit status: 0 done, 1 the collector refused the run, 2 wrong usage, 4 no collector, 130 \
      interrupted.
      """
  )

  @Argument(help: "Names or identifiers; see training-client list.")
  var names: [String] = []

  @Flag(help: "Train all experiments.")
  var all = false

  @Option(help: "The run's id; of one experiment only. [NAME-UTC TIME-4 HEX DIGITS]")
  var runID: String?

  @Option(
    help: ArgumentHelp(
      """
      What to do when a warning or critical alert tells of growth: none, stop, lower-rate (to a tenth) or clip (the \
      global norm to 1). Other than none, a step waits until the collector has judged the one before, \
      as long as there is a collector.
      """,
      valueName: "reaction"
    )
  )
  var onAlert = Reaction.none

  /// What the last line of each run is.
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
  }

  @Option(name: .shortAndLong, help: "The last line of each run: text or json.")
  var output = Format.text

  @OptionGroup
  var options: ExperimentOptions

  mutating func validate() throws {
    guard all != !names.isEmpty else {
      throw ValidationError("Expected names of experiments, or --all.")
    }
    let experiments = try chosenExperiments()
    for experiment in experiments { try options.check(experiment) }
    if runID != nil, experiments.count > 1 {
      throw ValidationError("--run-id: expected one experiment, found \(experiments.count)")
    }
  }

  func run() async throws {
    let console = Console(isQuiet: options.quiet)
    let interruption = Interruption()
    for experiment in try chosenExperiments() {
      let job = TrainingJob(
        experiment: experiment,
        run: try RunID(ofTraining: experiment, given: runID),
        options: options,
        reaction: onAlert
      )
      let result = try await job.run(console: console, interruption: interruption)
      switch output {
      case .text: console.write(result.summary, isResult: true)
      case .json: console.write(result.json + "\n", isResult: true)
      }
      if let failure = result.failure { throw failure }
    }
  }

  private func chosenExperiments() throws -> [Experiment] {
    try all ? Experiment.all.map(options.changed) : names.map(options.experiment)
  }
}
