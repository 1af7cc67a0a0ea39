import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import SwiftProtobuf
import Synchronization
import Telemetry
import TelemetryWire

/// One run's stream of reports, on a connection of its own, as jobs on different machines would have.
struct LoadStream: Sendable {
  /// The run's identifier.
  let run: String
  /// Tensors of a report.
  let tensors: Int
  let bodies: ReportBodies
  /// Reports to send.
  let reports: UInt64
  /// Reports a second; 0: as fast as they are acked.
  let rate: Double
  /// The most reports in flight, fewer if the collector gives fewer credits; 0: without end, whatever it gives.
  let inFlight: UInt64
  let line: StartLine

  /// When reports were sent that are not acked yet.
  private final class Flight: Sendable {
    struct State {
      /// Of the reports after `acked`, in order.
      var sent: ArraySlice<ContinuousClock.Instant> = []
      var acked: UInt64 = 0
      var latencies = Latencies()
    }
    let state = Mutex(State())

    func send(at time: ContinuousClock.Instant) { state.withLock { $0.sent.append(time) } }

    func ack(_ sequence: UInt64) {
      let now = ContinuousClock.now
      state.withLock { state in
        while state.acked < sequence, let sent = state.sent.popFirst() {
          state.latencies.add(now - sent)
          state.acked += 1
        }
      }
    }
  }

  /// Registers the run, waits at the start line, and sends all; returns once all is acked.
  ///
  /// - Returns: How long each report's ack took: from when it was due, if there is a rate.
  func send(port: Int) async throws -> Latencies {
    let transport = try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: port),
      transportSecurity: .plaintext
    )
    return try await withGRPCClient(transport: transport) { client in
      _ = try await Gradwatch_V1_IngestService.Client(wrapping: client)
        .registerRun(Gradwatch_V1_RegisterRunRequest(registration))
      return try await stream(over: client)
    }
  }

  private var registration: RunRegistration {
    get throws {
      try RunRegistration(
        run: RunID(run),
        project: IngestLoad.project,
        producer: Producer(id: ProducerID(IngestLoad.producer)),
        model: Model(
          layers: (0..<tensors).map { Layer(name: "layer\($0)") },
          tensors: (0..<tensors).map {
            Tensor(
              name: "layer\($0).weight",
              layer: UInt32($0),
              role: .weight,
              elementCount: ReportBodies.elements
            )
          }
        )
      )
    }
  }

  private func stream(
    over client: GRPCClient<HTTP2ClientTransport.Posix>
  ) async throws -> Latencies {
    let open: [UInt8] = try Gradwatch_V1_StreamTelemetryRequest.with {
      ($0.open.runID, $0.open.producerID) = (run, IngestLoad.producer)
    }.serializedBytes()
    let flight = Flight()
    // The first number is 0: the stream is open.
    let (acks, acked) = AsyncStream.makeStream(
      of: (durable: UInt64, credits: UInt64).self,
      bufferingPolicy: .bufferingNewest(1)
    )
    try await client.bidirectionalStreaming(
      request: StreamingClientRequest { writer in
        try await writer.write(open)
        var acks = acks.makeAsyncIterator()
        guard var (durable, credits) = await acks.next() else { return }
        await line.arrive()
        // Streams that all send in the same instant would wait for each other.
        let first = rate > 0 ? line.start + .seconds(.random(in: 0..<1) / rate) : line.start
        for sequence in 1...reports {
          // The credits of the contract; the writer itself would run ahead without end.
          while inFlight > 0, sequence > durable + min(inFlight, credits),
            let newest = await acks.next()
          {
            (durable, credits) = newest
          }
          var due = ContinuousClock.now
          if rate > 0 {
            due = first + .seconds(Double(sequence - 1) / rate)
            try await Task.sleep(until: due, clock: .continuous)
          }
          flight.send(at: due)
          try await writer.write(bodies.message(sequence))
        }
      },
      descriptor: Gradwatch_V1_IngestService.Method.StreamTelemetry.descriptor,
      serializer: RawBytes(),
      deserializer: ProtobufDeserializer<Gradwatch_V1_StreamTelemetryResponse>(),
      options: .defaults
    ) { response in
      for try await message in response.messages {
        switch message.event {
        case .opened(let opened): acked.yield((0, UInt64(opened.credits)))
        case .ack(let ack):
          guard ack.refusals.isEmpty else {
            throw RPCError(code: .unknown, message: "refused: \(ack.refusals[0].reason)")
          }
          flight.ack(ack.sequence)
          acked.yield((ack.sequence, UInt64(ack.credits)))
        default: break
        }
      }
      acked.finish()
    }
    return flight.state.withLock { $0.latencies }
  }
}

/// Sends bytes that are encoded already.
private struct RawBytes: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
}
