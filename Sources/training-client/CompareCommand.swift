import ArgumentParser
import Telemetry
import TerminalOutput
import TrainingEngine

/// `training-client compare`: trains a fault and its fix, and shows them side by side.
struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Train a fault and its fix, and show them side by side.",
    discussion: "With one name, the fault that it fixes is the other one."
  )

  @Argument(help: "Names or identifiers of two experiments; see training-client list.")
  var names: [String]

  @OptionGroup
  var options: ExperimentOptions

  mutating func validate() throws {
    let (fault, fix) = try pair()
    try options.check(fault)
    try options.check(fix)
  }

  func run() async throws {
    let (fault, fix) = try pair()
    let console = Console(isQuiet: options.quiet)
    let interruption = Interruption()
    var results: [TrainingResult] = []
    for experiment in [fault, fix] {
      let job = TrainingJob(
        experiment: experiment,
        run: try RunID(ofTraining: experiment),
        options: options,
        reaction: .none
      )
      let result = try await job.run(console: console, interruption: interruption)
      console.write(result.summary, isResult: true)
      if let failure = result.failure { throw failure }
      results.append(result)
    }
    console.write(rendered(results, on: console.output), isResult: true)
  }

  private func pair() throws -> (Experiment, Experiment) {
    switch names.count {
    case 2: return (try options.experiment(names[0]), try options.experiment(names[1]))
    case 1:
      let fix = try options.experiment(names[0])
      guard let fault = fix.fixes else {
        throw ValidationError("Expected two experiments: \(fix.name) fixes no fault.")
      }
      return (try options.experiment(fault), fix)
    default: throw ValidationError("Expected two experiments, found \(names.count).")
    }
  }

  private func rendered(_ results: [TrainingResult], on terminal: Terminal) -> String {
    var table = Table(columns: [
      .init(""), .init(results[0].experiment.name.uppercased()),
      .init(results[1].experiment.name.uppercased()),
    ])
    func row(_ title: String, _ text: (TrainingResult) -> String) {
      table.append([.init(title), .init(text(results[0])), .init(text(results[1]))])
    }
    row("steps") { NumberText.grouped(UInt64($0.stepCount)) }
    row("first loss") { NumberText.short($0.firstLoss) }
    row("last loss") { result in
      NumberText.short(result.lastLoss)
        + (result.firstNonFiniteStep.map { ", not finite since step \($0)" } ?? "")
    }
    row("norm, first layer / last") { $0.normsText(at: \.firstNorms) }
    row("the same at the end") { $0.normsText(at: \.lastNorms) }
    row("alerts") { $0.alertCounts }
    var text = "\n" + table.rendered(on: terminal)
    if results.allSatisfy(\.isStreamed) {
      text += "collector-cli diff \(results[0].run) \(results[1].run)\n"
    }
    return text
  }
}

extension TrainingResult {
  fileprivate func normsText(at norms: KeyPath<TrainingResult, [Double]>) -> String {
    guard let first = self[keyPath: norms].first, let last = self[keyPath: norms].last else {
      return ""
    }
    return "\(NumberText.short(first)) / \(NumberText.short(last))"
  }
}
