import ArgumentParser
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// Streams reports to a collector as fast as it acks them, and prints one JSON line.
///
/// The reports' columns are encoded before the clock starts, so that the collector is measured and not this
/// client; sequence number and step, which differ from report to report, are put in front, for concatenated
/// protobuf messages are one message.
@main
struct IngestBenchmark: AsyncParsableCommand {
  @Option(help: "HOST:PORT of the collector.")
  var address: String

  @Option(help: "Tensors of a report.")
  var tensors = 200

  @Option(help: "Reports of a stream.")
  var steps = 3000

  @Option(help: "Buckets of a histogram; 0: no histograms.")
  var buckets = 64

  @Option(help: "Streams, each a run of its own.")
  var streams = 1

  func run() async throws {
    guard let colon = address.lastIndex(of: ":"),
      let port = Int(address[address.index(after: colon)...])
    else { throw ValidationError("--address: expected HOST:PORT, found \(address)") }
    let host = String(address[..<colon])
    // Each stream has a connection of its own, as jobs on different machines would.
    let bodies = try makeBodies()
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<streams {
        group.addTask {
          let transport = try HTTP2ClientTransport.Posix(
            target: .ipv4(address: host, port: port),
            transportSecurity: .plaintext
          )
          try await withGRPCClient(transport: transport) { client in
            try await stream(index, bodies, over: client)
          }
        }
      }
      try await group.waitForAll()
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let reports = Double(streams * steps * tensors)
    print(
      """
      {"streams": \(streams), "tensors": \(tensors), "steps": \(steps), "buckets": \(buckets), \
      "seconds": \(seconds), "tensor_reports_per_second": \(Int(reports / seconds)), \
      "bytes_per_tensor_report": \(bodies[0].count / tensors)}
      """
    )
  }

  /// As many different reports as a chunk has rows, without sequence number and step, encoded: fewer would repeat in a chunk,
  /// and compress as no training does.
  private func makeBodies() throws -> [[UInt8]] {
    var generator = SystemRandomNumberGenerator()
    return try (0..<256).map { _ in
      var report = Gradwatch_V1_StepReport()
      report.wallTimeSeconds = 1.7e9
      report.losses = [.with { ($0.name, $0.value) = ("loss", .random(in: 1...2)) }]
      report.learningRate = 0.001
      report.globalNorm = .random(in: 1...2)
      func column() -> [Float] {
        (0..<tensors).map { _ in .random(in: 0.9...1.1, using: &generator) }
      }
      report.gradients.norm = column()
      report.gradients.mean = column()
      report.gradients.std = column()
      report.gradients.min = column()
      report.gradients.max = column()
      report.gradients.zeroCount = Array(repeating: 3, count: tensors)
      report.gradients.nanCount = Array(repeating: 0, count: tensors)
      guard buckets > 0 else { return try report.serializedBytes() }
      let side = UInt32(buckets / 2)
      report.histograms.zeroCount = Array(repeating: 3, count: tensors)
      report.histograms.positiveOffset = Array(repeating: -30, count: tensors)
      report.histograms.positiveLength = Array(repeating: side, count: tensors)
      report.histograms.negativeOffset = Array(repeating: -30, count: tensors)
      report.histograms.negativeLength = Array(repeating: side, count: tensors)
      // All counts add up to the element count, whichever bucket they are in.
      for _ in 0..<tensors {
        var left = Self.elements - 3
        for bucket in 0..<(2 * side) {
          let count =
            bucket + 1 == 2 * side
            ? left
            : UInt64.random(in: 0...(2 * left / UInt64(2 * side - bucket)), using: &generator)
          report.histograms.counts.append(count)
          left -= count
        }
      }
      return try report.serializedBytes()
    }
  }

  /// Elements of a tensor: a matrix of 256 x 256.
  private static let elements: UInt64 = 65_536

  private func stream(
    _ index: Int,
    _ bodies: [[UInt8]],
    over client: GRPCClient<HTTP2ClientTransport.Posix>
  ) async throws {
    let runID = "bench-\(UUID().uuidString)"
    let model = try Model(
      layers: (0..<tensors).map { Layer(name: "layer\($0)") },
      tensors: (0..<tensors).map {
        Tensor(
          name: "layer\($0).weight",
          layer: UInt32($0),
          role: .weight,
          elementCount: Self.elements
        )
      }
    )
    let registration = try RunRegistration(
      run: RunID(runID),
      project: "bench",
      producer: Producer(id: ProducerID("p0")),
      model: model
    )
    _ = try await Gradwatch_V1_IngestService.Client(wrapping: client)
      .registerRun(Gradwatch_V1_RegisterRunRequest(registration))

    let open: [UInt8] = try Gradwatch_V1_StreamTelemetryRequest.with {
      ($0.open.runID, $0.open.producerID) = (runID, "p0")
    }.serializedBytes()
    let (acks, acked) = AsyncStream.makeStream(
      of: UInt64.self,
      bufferingPolicy: .bufferingNewest(1)
    )
    let steps = UInt64(steps)
    try await client.bidirectionalStreaming(
      request: StreamingClientRequest { writer in
        try await writer.write(open)
        var acks = acks.makeAsyncIterator()
        var durable: UInt64 = 0
        for sequence in 1...steps {
          // The credits of the contract; the writer itself would run ahead without end.
          while sequence > durable + Self.inFlight, let newest = await acks.next() {
            durable = newest
          }
          try await writer.write(Self.message(sequence, bodies[Int(sequence) % bodies.count]))
        }
      },
      descriptor: Gradwatch_V1_IngestService.Method.StreamTelemetry.descriptor,
      serializer: RawBytes(),
      deserializer: ProtobufDeserializer<Gradwatch_V1_StreamTelemetryResponse>(),
      options: .defaults
    ) { response in
      for try await message in response.messages {
        guard case .ack(let ack)? = message.event else { continue }
        guard ack.refusals.isEmpty else {
          throw RPCError(code: .unknown, message: "refused: \(ack.refusals[0].reason)")
        }
        acked.yield(ack.sequence)
      }
      acked.finish()
    }
  }

  /// Reports in flight; below the collector's credits.
  private static let inFlight: UInt64 = 48

  /// A StreamTelemetryRequest: the report's tag and length, its number and step, and the encoded rest.
  private static func message(_ sequence: UInt64, _ body: [UInt8]) -> [UInt8] {
    var head: [UInt8] = [1 << 3]
    head.appendVarint(sequence)
    head.append(2 << 3)
    head.appendVarint(sequence - 1)
    var message: [UInt8] = [2 << 3 | 2]
    message.reserveCapacity(body.count + 32)
    message.appendVarint(UInt64(head.count + body.count))
    message += head
    message += body
    return message
  }
}

extension [UInt8] {
  fileprivate mutating func appendVarint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    append(UInt8(value))
  }
}

/// Sends bytes that are encoded already.
private struct RawBytes: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
}
