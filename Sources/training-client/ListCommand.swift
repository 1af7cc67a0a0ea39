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

  @Flag(help: "List the settings of run's --set instead.")
  var settings = false

  func run() throws {
    if settings {
      listSettings()
      return
    }
    switch output {
    case .table:
      var table = Table(columns: [
        .init("ID"), .init("NAME"), .init("STEPS", alignment: .trailing), .init("FIXES"),
        .init("TITLE", truncation: .end), .init("A COLLECTOR SHOULD RAISE", truncation: .end),
      ])
      for experiment in Experiment.all {
        table.append([
          .init(experiment.identifier), .init(experiment.name, .emphasis),
          .init(NumberText.grouped(UInt64(experiment.stepCount))), .init(experiment.fixes ?? ""),
          .init(experiment.title),
          .init(experiment.mustAlert.compactMap(\.rule).joined(separator: ", ")),
        ])
      }
      Console.write(table.rendered(on: Terminal()), to: 1)
    case .json:
      let experiments = try Experiment.all.map { try $0.json }
      Console.write(JSONText.indented(JSONText.array(experiments)) + "\n", to: 1)
    }
  }

  private func listSettings() {
    switch output {
    case .table:
      var table = Table(columns: [.init("KEY"), .init("EXPECTS", truncation: .end)])
      for (key, expectation) in Experiment.settings {
        table.append([.init(key, .emphasis), .init(expectation)])
      }
      Console.write(table.rendered(on: Terminal()), to: 1)
    case .json:
      let settings = Experiment.settings.map { key, expectation in
        JSONText.object([
          "key": JSONText.string(key), "expects": JSONText.string(expectation),
        ])
      }
      Console.write(JSONText.indented(JSONText.array(settings)) + "\n", to: 1)
    }
  }
}

extension Experiment {
  /// Everything that there is to know of it without training it.
  fileprivate var json: String {
    get throws {
      let parameterCount = try Trainer(self).network.parameters.reduce(0) { $0 + $1.value.count }
      return JSONText.object([
        "id": JSONText.string(identifier),
        "name": JSONText.string(name),
        "title": JSONText.string(title),
        "source": JSONText.string(source),
        "claim": JSONText.string(sourceClaim),
        "finding": JSONText.string(finding),
        "fixes": fixes.map(JSONText.string) ?? "null",
        "steps": "\(stepCount)",
        "parameters": "\(parameterCount)",
        "ranks": "\(rankCount)",
        "seed": "\(seed)",
        "must_alert": JSONText.array(mustAlert.map(\.json)),
        "may_alert": JSONText.array(mayAlert.sorted().map(JSONText.string)),
        "must_not_alert": JSONText.array(mustNotAlert.map(\.json)),
      ])
    }
  }
}

extension ExpectedAlert {
  fileprivate var json: String {
    JSONText.object([
      "rule": rule.map(JSONText.string) ?? "null",
      "severity": JSONText.string(severity.rawValue),
    ])
  }
}
