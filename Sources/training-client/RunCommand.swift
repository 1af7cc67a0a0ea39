import ArgumentParser
import Foundation
import GradwatchClient
import Telemetry
import TerminalOutput
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

  @Option(
    help: ArgumentHelp(
      """
      HOST:PORT or unix:PATH of a collector that must be there. Without this option the one of \
      GRADWATCH_ADDRESS, else 127.0.0.1:50151, may also come later.
      """,
      valueName: "address"
    )
  )
  var collector: CollectorAddress?

  @Option(help: "The run's id; of one experiment only. [NAME-UTC TIME-4 HEX DIGITS]")
  var runID: String?

  @Option(help: "The project that groups runs.")
  var project = "training-client"

  @Option(help: "Another seed for parameters and batches.")
  var seed: UInt64?

  @Option(help: "Train at most so many steps.")
  var steps: Int?

  @Option(help: ArgumentHelp("Take histograms on every n-th step; 0: never.", valueName: "n"))
  var histogramEvery = StepReportBuilder.defaultHistogramInterval

  @Flag(help: "Train without a collector.")
  var dryRun = false

  @Flag(help: "Only the last line of each run.")
  var quiet = false

  mutating func validate() throws {
    guard all != !names.isEmpty else {
      throw ValidationError("Expected names of experiments, or --all.")
    }
    if let steps, steps < 1 {
      throw ValidationError("--steps: expected at least 1, found \(steps)")
    }
    let experiments = try chosenExperiments()
    if runID != nil, experiments.count > 1 {
      throw ValidationError("--run-id: expected one experiment, found \(experiments.count)")
    }
  }

  func run() async throws {
    let address = try collector ?? .ofEnvironment()
    let console = Console(isQuiet: quiet)
    let interruption = Interruption()
    for experiment in try chosenExperiments() {
      let job = TrainingJob(
        experiment: experiment,
        run: try runIdentifier(of: experiment),
        project: project,
        maximumSteps: steps ?? .max,
        histogramInterval: histogramEvery
      )
      if dryRun {
        try await job.train(console: console, interruption: interruption)
      } else {
        try await job.stream(
          to: address,
          isRequired: collector != nil,
          console: console,
          interruption: interruption
        )
      }
    }
  }

  private func chosenExperiments() throws -> [Experiment] {
    var experiments =
      try all
      ? Experiment.all
      : names.map { name in
        guard
          let experiment = Experiment.all.first(where: {
            $0.name == name || $0.identifier.lowercased() == name.lowercased()
          })
        else {
          throw ValidationError(
            "Expected one of \(Experiment.all.map(\.name).joined(separator: ", ")), found \(name)"
          )
        }
        return experiment
      }
    if let seed {
      for index in experiments.indices { experiments[index].seed = seed }
    }
    return experiments
  }

  private func runIdentifier(of experiment: Experiment) throws -> RunID {
    do throws(TelemetryError) {
      if let runID { return try RunID(runID) }
      let time = TimeText.rfc3339(Date().timeIntervalSince1970.rounded(.down))
        .filter { $0 != "-" && $0 != ":" }
      let digits = String(UInt16.random(in: 0...UInt16.max), radix: 16)
      let padding = String(repeating: "0", count: 4 - digits.count)
      return try RunID("\(experiment.name)-\(time)-\(padding)\(digits)")
    } catch {
      throw CommandFailure(.usage, "--run-id: \(error)")
    }
  }
}
