import ArgumentParser

/// Puts load on a collector on this machine, and prints what it measured as one JSON object.
@main
struct LoadBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Load for scripts/bench.",
    subcommands: [IngestLoad.self, AlertLoad.self, ClientCost.self]
  )
}
