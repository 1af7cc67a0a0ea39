import ArgumentParser
import GradwatchClient
import TrainingEngine

/// How experiments are trained and streamed, whichever command does it.
struct ExperimentOptions: ParsableArguments {
  @Option(
    name: [.customLong("server"), .customLong("collector")],
    help: ArgumentHelp(
      """
      HOST:PORT or unix:PATH of a collector that must be there. Without this option the one of \
      GRADWATCH_ADDRESS, else 127.0.0.1:50151, may also come later.
      """,
      valueName: "address"
    ),
    transform: { try CollectorAddress($0) }
  )
  var server: CollectorAddress?

  @Option(help: "The project that groups runs.")
  var project = "training-client"

  @Option(help: "Another seed for parameters and batches.")
  var seed: UInt64?

  @Option(help: "Train at most so many steps.")
  var steps: Int?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Change a setting, such as learning-rate=0.1; may be repeated. See training-client list --settings.",
      valueName: "key=value"
    )
  )
  var changes: [String] = []

  @Option(help: ArgumentHelp("Report every n-th step.", valueName: "n"))
  var every = 1

  @Option(help: ArgumentHelp("Take histograms on every n-th step; 0: never.", valueName: "n"))
  var histogramEvery = StepReportBuilder.defaultHistogramInterval

  @Flag(help: "Train without a collector.")
  var dryRun = false

  @Flag(help: "Only the last line of each run.")
  var quiet = false

  mutating func validate() throws {
    if let steps, steps < 1 {
      throw ValidationError("--steps: expected at least 1, found \(steps)")
    }
    if every < 1 { throw ValidationError("--every: expected at least 1, found \(every)") }
  }

  /// The address to stream to.
  ///
  /// - Throws: ``CommandFailure`` if the environment names one that can't be used.
  func address() throws(CommandFailure) -> CollectorAddress {
    do {
      return try server ?? .ofEnvironment()
    } catch {
      throw CommandFailure(.usage, "\(error)")
    }
  }

  /// Finds an experiment by its name or identifier, and changes what was asked for.
  ///
  /// - Throws: `ValidationError` if there is none, or a setting is wrong.
  func experiment(_ name: String) throws -> Experiment {
    guard
      let found = Experiment.all.first(where: {
        $0.name == name || $0.identifier.lowercased() == name.lowercased()
      })
    else {
      throw ValidationError(
        "Expected one of \(Experiment.all.map(\.name).joined(separator: ", ")), found \(name)"
      )
    }
    return try changed(found)
  }

  /// Changes what was asked for; throws `ValidationError` if a setting is wrong.
  func changed(_ experiment: Experiment) throws -> Experiment {
    var experiment = experiment
    do throws(TrainingError) {
      for change in changes {
        let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
          throw .setting("--set", expected: "key=value", found: change)
        }
        try experiment.set(parts[0], to: parts[1])
      }
      if let seed { experiment.seed = seed }
    } catch {
      throw ValidationError("\(experiment.name): \(error)")
    }
    return experiment
  }

  /// Throws `ValidationError` if an experiment can't be trained.
  ///
  /// That takes its data and first weights, so it is asked once, before the first training.
  func check(_ experiment: Experiment) throws {
    do throws(TrainingError) {
      _ = try Trainer(experiment)
    } catch {
      throw ValidationError("\(experiment.name): \(error)")
    }
  }
}
