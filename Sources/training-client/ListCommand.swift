import ArgumentParser
import TerminalOutput
import TrainingEngine

/// `training-client list`: the experiments.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the experiments."
  )

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table
    case json
  }

  @Option(name: .shortAndLong, help: "table or json.")
  var output = Format.table

  func run() {
    switch output {
    case .table:
      var table = Table(columns: [
        .init("ID"), .init("NAME"), .init("STEPS", alignment: .trailing),
        .init("PARAMETERS", alignment: .trailing), .init("TITLE", truncation: .end),
        .init("A COLLECTOR SHOULD RAISE", truncation: .end),
      ])
      for experiment in Experiment.all {
        table.append([
          .init(experiment.identifier), .init(experiment.name, .emphasis),
          .init(NumberText.grouped(UInt64(experiment.stepCount))),
          .init(NumberText.grouped(experiment.parameterCount)), .init(experiment.title),
          .init(experiment.mustAlert.compactMap(\.rule).joined(separator: ", ")),
        ])
      }
      Console.write(table.rendered(on: Terminal()), to: 1)
    case .json:
      let experiments = Experiment.all.map { experiment in
        JSONText.object([
          "id": JSONText.string(experiment.identifier),
          "name": JSONText.string(experiment.name),
          "title": JSONText.string(experiment.title),
          "source": JSONText.string(experiment.source),
          "steps": "\(experiment.stepCount)",
          "parameters": "\(experiment.parameterCount)",
          "seed": "\(experiment.seed)",
          "must_alert": JSONText.array(
            experiment.mustAlert.compactMap(\.rule).map(JSONText.string)
          ),
        ])
      }
      Console.write(JSONText.indented(JSONText.array(experiments)) + "\n", to: 1)
    }
  }
}

extension Experiment {
  /// The number of elements of all parameters.
  fileprivate var parameterCount: UInt64 {
    Trainer(self).network.parameters.reduce(0) { $0 + UInt64($1.value.count) }
  }
}
