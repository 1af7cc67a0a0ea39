import GRPCCore
import Synchronization
import TelemetryWire

extension Connection {
  /// Reads the answer to a timeline, message by message as they arrive.
  func timeline(
    _ request: Gradwatch_V1_GetLayerTimelineRequest,
    _ take: @escaping @Sendable (Gradwatch_V1_GetLayerTimelineResponse) throws -> Void
  ) async throws {
    try await query.getLayerTimeline(request, options: stream) { response in
      for try await message in response.messages { try take(message) }
    }
  }

  /// Reads the answer to a loss timeline, message by message as they arrive.
  func losses(
    _ request: Gradwatch_V1_GetLossTimelineRequest,
    _ take: @escaping @Sendable (Gradwatch_V1_GetLossTimelineResponse) throws -> Void
  ) async throws {
    try await query.getLossTimeline(request, options: stream) { response in
      for try await message in response.messages { try take(message) }
    }
  }

  /// Reads the answer to a query of histograms, message by message as they arrive.
  func histograms(
    _ request: Gradwatch_V1_GetHistogramsRequest,
    _ take: @escaping @Sendable (Gradwatch_V1_GetHistogramsResponse) throws -> Void
  ) async throws {
    try await query.getHistograms(request, options: stream) { response in
      for try await message in response.messages { try take(message) }
    }
  }
}

/// The parts of an answer, put together again.
///
/// A mutex and not an actor: `take` is called from inside gRPC's synchronous loop.
final class Parts<Message: AnswerPart>: Sendable {
  private let parts = Mutex<(order: [String], messages: [String: Message])>(([], [:]))

  /// Adds a part; those of one series become one message.
  func take(_ message: Message) {
    parts.withLock { parts in
      if parts.messages[message.key] == nil {
        parts.order.append(message.key)
        parts.messages[message.key] = message
      } else {
        parts.messages[message.key]?.append(message)
      }
    }
  }

  /// The messages, in the order in which their first parts came.
  var messages: [Message] {
    parts.withLock { parts in parts.order.compactMap { parts.messages[$0] } }
  }
}
