// A model and data of your own, trained by TrainingEngine and watched by a collector:
//
//     collector serve &
//     own-model
//     collector-cli query runs

import Foundation
import GRPCNIOTransportHTTP2Posix
import GradwatchClient
import Telemetry
import TrainingEngine
import TrainingReports

/// Learns which of two spirals a point is on.
@main @MainActor
struct OwnModel {
  static func main() async throws {
    let experiment = Experiment(
      name: "spirals",
      data: .given(try spirals(count: 1000), name: "two spirals"),
      layers: [.dense(32, .tanh), .dense(32, .tanh), .dense(2)],
      loss: .crossEntropy,
      updateRule: .adam(learningRate: 0.01),
      batchSize: 32,
      epochs: 40
    )
    var trainer = try Trainer(experiment)
    let reporter = try StepReporter(trainer)
    let registration = try RunRegistration(
      run: RunID("spirals-\(Int(Date().timeIntervalSince1970))"),
      project: "own-models",
      hyperparameters: experiment.hyperparameters,
      producer: Producer(id: ProducerID("rank-0"), rank: 0, worldSize: 1),
      model: reporter.model
    )
    let transport = try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: 50_151),
      transportSecurity: .plaintext,
      config: .defaults { config in
        // So that a dead connection shows, also while no step comes.
        config.connection.keepalive = .init(
          time: .seconds(12),
          timeout: .seconds(5),
          allowWithoutCalls: true
        )
      }
    )
    let outcome = try await withRun(transport: transport, registration: registration) { run in
      var loss: Float = 0
      var upcoming = trainer.next()
      while let step = upcoming {
        // Made on another thread, while this one trains the next step.
        async let report = reporter.report(of: step)
        upcoming = trainer.next()
        run.report(await report)
        loss = step.loss
      }
      return loss
    }
    print(
      "run \(registration.run): loss \(outcome.value), \(outcome.delivery.delivered) steps delivered"
    )
  }

  /// Two spirals around each other; inputs `[count, 2]`, classes `[count]`.
  static func spirals(count: Int) throws -> Dataset {
    var generator = SeededGenerator(seed: 1)
    var (inputs, classes): ([Float], [Float]) = ([], [])
    for index in 0..<count {
      let arm = index % 2
      let radius = generator.nextUniform(from: 0.1, to: 1)
      let angle = 6 * radius + Double.pi * Double(arm)
      inputs += [Float(radius * cos(angle)), Float(radius * sin(angle))]
      classes.append(Float(arm))
    }
    return try Dataset(
      inputs: NDArray(shape: [count, 2], elements: inputs),
      targets: NDArray(shape: [count], elements: classes)
    )
  }
}
