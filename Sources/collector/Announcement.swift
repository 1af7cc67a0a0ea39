import Foundation
import Logging
import ServiceLifecycle

/// Says where the collector listens, on standard output for scripts and for whoever asked for port 0, once
/// it listens everywhere.
struct Announcement: Service {
  let listeners: [Listener]
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      var places: [String] = []
      for listener in listeners {
        // A listener that can't listen says so itself, and ends the group.
        guard let place = try? await listener.place else { return }
        places.append(place)
      }
      for place in places {
        // Standard output may be closed; then nobody waits for it.
        try? FileHandle.standardOutput.write(contentsOf: Data("listening on \(place)\n".utf8))
        logger.info("listening", metadata: ["address": "\(place)"])
      }
    }
    // A service that ends before its group is told to stop has failed, in the group's eyes.
    try? await gracefulShutdown()
  }
}
