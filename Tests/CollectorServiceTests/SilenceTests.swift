import CollectorService
import CollectorTesting
import GRPCCore
import GRPCInProcessTransport
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Silenced alerts", .timeLimit(.minutes(1)))
struct SilenceTests {
  private typealias Harness = CollectorHarness<InProcessTransport.Client>

  private func silence(
    _ harness: Harness,
    seconds: Double = 600,
    _ change: @Sendable (inout Gradwatch_V1_Silence) -> Void
  ) async throws -> Gradwatch_V1_Silence {
    let end = WallTime(clamping: harness.clock.now.seconds + seconds)
    let request = Gradwatch_V1_SilenceAlertsRequest.with { request in
      request.silence.author = "ada"
      request.silence.endsAt = .init(end)
      change(&request.silence)
    }
    return try await harness.alerts.silenceAlerts(request).silence
  }

  /// The rules of what a subscriber is pushed of all that happened so far.
  private func pushed(_ harness: Harness, silenced: Bool = false) async throws -> Set<String> {
    try await harness.alerts.subscribeAlerts(
      .with { ($0.cursor, $0.includeSilenced) = (0, silenced) }
    ) { response in
      var rules: Set<String> = []
      for try await message in response.messages {
        guard case .transition(let transition)? = message.event else { return rules }
        rules.insert(transition.alert.rule)
      }
      return rules
    }
  }

  @Test("are not pushed unless asked for, and are listed with the silence's identifier")
  func notPushed() async throws {
    let run = try FaultyRun()
    try await withCollectorOnDisk { harness in
      let made = try await silence(harness) { $0.rule = "exploding_gradient" }
      #expect(!made.silenceID.isEmpty && made.author == "ada")
      try await harness.send(run.reports, of: run)
      let quiet = try await pushed(harness)
      #expect(!quiet.contains("exploding_gradient") && quiet.contains("non_finite_loss"))
      let all = try await pushed(harness, silenced: true)
      #expect(all.contains("exploding_gradient"))
      let alerts = try await harness.query.listAlerts(.init()).alerts
      for alert in alerts {
        #expect(
          alert.silencedBy == (alert.rule == "exploding_gradient" ? [made.silenceID] : [])
        )
      }
      try await harness.alerts.subscribeAlerts(.init()) { response in
        for try await message in response.messages {
          guard case .openAlert(let alert)? = message.event else { return }
          #expect(alert.rule != "exploding_gradient")
        }
      }
    }
  }

  @Test("are matched by project, run and layer, all of which must match")
  func matchers() async throws {
    let run = try FaultyRun()
    try await withCollectorOnDisk { harness in
      try await harness.send(run.reports, of: run)
      let all = try await pushed(harness, silenced: true)
      func quiet(
        _ change: @Sendable (inout Gradwatch_V1_Silence) -> Void
      ) async throws -> Set<String> {
        let made = try await silence(harness, change)
        let rules = try await pushed(harness)
        _ = try await harness.alerts.removeSilence(.with { $0.silenceID = made.silenceID })
        return rules
      }
      let byProject = try await quiet { $0.project = "tests" }
      #expect(byProject == [])
      let byOther = try await quiet { ($0.project, $0.runID) = ("others", "r") }
      #expect(byOther == all)
      let byRun = try await quiet { ($0.runID, $0.rule) = ("r", "non_finite_loss") }
      #expect(byRun == all.subtracting(["non_finite_loss"]))
      // The loss is of no layer.
      let byLayer = try await quiet { $0.layer = "dense_*" }
      #expect(byLayer.contains("non_finite_loss") && !byLayer.contains("non_finite_gradient"))
      let byFewerLayers = try await quiet { $0.layer = "dense_0" }
      #expect(byFewerLayers.contains("non_finite_gradient"))
      let removed = try await pushed(harness)
      #expect(removed == all)
    }
  }

  @Test("are pushed again when the silence ends, and a restart does not end it")
  func endsByTheClock() async throws {
    let run = try FaultyRun()
    try await withTemporaryFolder { folder in
      let path = "\(folder)/db"
      try await withCollector(store: try SQLiteRunStore(path: path)) { harness in
        _ = try await silence(harness) { $0.runID = "r" }
        try await harness.send(run.reports, of: run)
      }
      try await withCollector(store: try SQLiteRunStore(path: path)) { harness in
        let silences = try await harness.alerts.listSilences(.init()).silences
        #expect(silences.map(\.runID) == ["r"])
        let quiet = try await pushed(harness)
        #expect(quiet == [])
        harness.clock.advance(seconds: 600)
        let loud = try await pushed(harness)
        #expect(loud.contains("non_finite_loss"))
        let left = try await harness.alerts.listSilences(.init()).silences
        #expect(left.isEmpty)
      }
    }
  }

  @Test("need a matcher, an author and an end that is still to come")
  func refused() async throws {
    try await withCollectorOnDisk { harness in
      func refusal(
        seconds: Double = 600,
        _ change: @Sendable (inout Gradwatch_V1_Silence) -> Void
      ) async -> String? {
        do {
          _ = try await silence(harness, seconds: seconds, change)
          return nil
        } catch {
          return (error as? RPCError)?.message
        }
      }
      let none = await refusal { _ in }
      #expect(none?.hasPrefix("silence: expected a rule") == true)
      let author = await refusal { ($0.rule, $0.author) = ("dead_relu", "") }
      #expect(author?.hasPrefix("silence.author") == true)
      let end = await refusal(seconds: 0) { $0.rule = "dead_relu" }
      #expect(end?.hasPrefix("silence.ends_at") == true)
      let unset = await refusal {
        $0.rule = "dead_relu"
        $0.clearEndsAt()
      }
      #expect(unset?.hasPrefix("silence.ends_at") == true)
      let error = await #expect(throws: RPCError.self) {
        _ = try await harness.alerts.removeSilence(.with { $0.silenceID = "none" })
      }
      #expect(error?.code == .notFound)
    }
  }
}
