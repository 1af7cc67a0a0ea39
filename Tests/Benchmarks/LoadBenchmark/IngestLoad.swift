import ArgumentParser

/// Streams reports, as fast as they are acked or at a rate.
struct IngestLoad: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "ingest")

  @Option(help: "The collector's port on this machine.")
  var port: Int

  @Option(help: "The run; of several streams, each has a number behind it.")
  var run = "bench"

  @Option(help: "Tensors of a report.")
  var tensors = 200

  @Option(help: "Reports of a stream.")
  var steps: UInt64 = 3000

  @Option(help: "Buckets of a histogram; 0: no histograms.")
  var buckets = 64

  @Option(help: "Streams, each a run of its own.")
  var streams = 1

  @Option(help: "Reports of a stream a second; 0: as fast as they are acked.")
  var rate = 0.0

  @Option(help: "The most reports of a stream in flight, within its credits; 0: without end.")
  var inFlight: UInt64 = 48

  /// The project of all runs.
  static let project = "bench"
  /// The producer of each run.
  static let producer = "p0"

  func run() async throws {
    let bodies = try ReportBodies(tensors: tensors, buckets: buckets)
    let line = StartLine(count: streams)
    let latencies = try await withThrowingTaskGroup(of: Latencies.self) { group in
      for index in 0..<streams {
        let stream = LoadStream(
          run: streams == 1 ? run : "\(run)\(index)",
          tensors: tensors,
          bodies: bodies,
          reports: steps,
          rate: rate,
          inFlight: inFlight,
          line: line
        )
        group.addTask { try await stream.send(port: port) }
      }
      return try await group.reduce(into: Latencies()) { $0.add($1) }
    }
    let seconds = (ContinuousClock.now - line.start) / .seconds(1)
    let reports = streams * Int(steps) * tensors
    print(
      """
      {"tensor_reports": \(reports), "seconds": \(seconds), "bytes_sent": \
      \(bodies.message(1).count * streams * Int(steps)), \(latencies.json)}
      """
    )
  }
}
