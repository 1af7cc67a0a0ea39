import CollectorService
import CollectorTesting
import GRPCCore
import SwiftProtobuf
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Health and server information", .timeLimit(.minutes(1)))
struct StandardServicesTests {
  @Test(
    "every service is served",
    arguments: [
      "", "gradwatch.v1.IngestService", "gradwatch.v1.QueryService", "gradwatch.v1.AlertService",
      "gradwatch.v1.AdminService",
    ]
  )
  func healthy(_ service: String) async throws {
    try await withCollectorOnDisk { harness in
      let response = try await harness.health.check(.with { $0.service = service })
      #expect(response.status == .serving)
    }
  }

  @Test("an unknown service is NOT_FOUND to a check, and unknown to a watch")
  func unknownService() async throws {
    try await withCollectorOnDisk { harness in
      let error = await #expect(throws: RPCError.self) {
        _ = try await harness.health.check(.with { $0.service = "nope" })
      }
      #expect(error?.code == .notFound)
      try await harness.health.watch(.with { $0.service = "nope" }) { response in
        var messages = response.messages.makeAsyncIterator()
        let first = try await messages.next()
        #expect(first?.status == .serviceUnknown)
      }
    }
  }

  @Test("a watcher hears that the collector shuts down")
  func watch() async throws {
    try await withCollectorOnDisk { harness in
      try await harness.health.watch(.init()) { response in
        var messages = response.messages.makeAsyncIterator()
        let first = try await messages.next()
        #expect(first?.status == .serving)
        harness.beginShutdown()
        let second = try await messages.next()
        #expect(second?.status == .notServing)
        let end = try await messages.next()
        #expect(end == nil)
      }
    }
  }

  @Test("server information publishes the limits that are in force")
  func serverInfo() async throws {
    var options = CollectorOptions()
    options.streamCredits = 7
    options.maximumMessageBytes = 1_000_000
    try await withCollectorOnDisk(options: options) { harness in
      let info = try await harness.query.getServerInfo(.init())
      #expect(info.limits.streamCredits == 7)
      #expect(info.limits.maximumMessageBytes == 1_000_000)
      #expect(info.limits.maximumNameBytes == 512)
      #expect(info.rules.contains("exploding_gradient"))
      #expect(info.serverTime.seconds == 1_700_000_000)
    }
  }
}
