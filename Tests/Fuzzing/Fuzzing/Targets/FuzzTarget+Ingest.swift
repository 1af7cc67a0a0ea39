import Detection
import Ingest
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire

extension FuzzTarget {
  /// A stream of reports: from the wire to the detector and into the log's bytes, as in the collector.
  ///
  /// An input is a list of messages, each with a byte before it that says how often it comes: with
  /// ascending numbers and steps, unless that byte's highest bit is set.
  static let ingest = FuzzTarget(
    name: "ingest",
    seeds: { random in
      let run = try RunBuilder(run: "fuzz")
      return try (0..<24).map { _ in try ReportList.random(of: run, using: &random).bytes }
    },
    mutate: { bytes, pool, random in
      guard Int.random(in: 0..<8, using: &random) > 0, var list = ReportList(bytes) else {
        Mutation.change(&bytes, pool: pool, &random)
        return
      }
      list.change(pool, &random)
      bytes = list.bytes
    },
    check: { input throws(FuzzFinding) in
      guard let list = ReportList(input) else { return false }
      do {
        var stream = try IngestedStream()
        for entry in list.entries { try stream.take(entry) }
        try stream.finish()
        return stream.accepted > 0
      } catch let finding as FuzzFinding {
        throw finding
      } catch {
        throw FuzzFinding("an accepted report was refused behind: \(error)")
      }
    }
  )
}

/// The messages of an input.
struct ReportList {
  /// A message, and how often it comes.
  struct Entry {
    /// The lower seven bits: how often; the highest: with the numbers and steps that it has.
    var times: UInt8
    var message: [UInt8]
  }

  var entries: [Entry] = []

  /// Takes an input apart; `nil` if a length is wrong.
  init?(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while let times = rest.popFirst() {
      guard rest.count >= 3 else { return nil }
      let size = (0..<3).reduce(0) { $0 | Int(rest[rest.startIndex + $1]) << (8 * $1) }
      rest = rest.dropFirst(3)
      guard size <= rest.count else { return nil }
      entries.append(Entry(times: times, message: Array(rest.prefix(size))))
      rest = rest.dropFirst(size)
    }
  }

  private init() {}

  /// The input again.
  var bytes: [UInt8] {
    entries.flatMap { entry in
      let size = entry.message.count
      return [entry.times] + (0..<3).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) }
        + entry.message
    }
  }

  /// Some reports, healthy and not.
  static func random(
    of run: RunBuilder,
    using random: inout SeededGenerator
  ) throws -> ReportList {
    var list = ReportList()
    var sequence: UInt64 = 1
    for _ in 0..<Int.random(in: 1...5, using: &random) {
      let times = UInt8.random(in: 1...24, using: &random)
      var report: StepReport
      if Bool.random(using: &random) {
        report = StepReport.random(
          sequence,
          step: sequence,
          layers: 3,
          tensors: 6,
          using: &random
        )
        // What the wire or the model would refuse.
        report.histograms = nil
        report.explicitHistograms = nil
        report.scalars.batchSize = 32
      } else {
        let trouble = TroubledReport.allCases.randomElement(using: &random) ?? .healthy
        report = trouble.report(sequence, step: sequence, of: run)
      }
      let request = Gradwatch_V1_StreamTelemetryRequest.with {
        $0.report = Gradwatch_V1_StepReport(report)
      }
      list.entries.append(Entry(times: times, message: try request.serializedBytes()))
      sequence += UInt64(times)
    }
    return list
  }

  /// Changes a message, or how they follow each other.
  mutating func change(_ pool: [[UInt8]], _ random: inout SeededGenerator) {
    guard !entries.isEmpty else { return }
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let place = Int.random(in: entries.indices, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0 where entries.count > 1: entries.remove(at: place)
      case 1:
        guard entries.count < 12, let other = pool.randomElement(using: &random),
          let entry = ReportList(other)?.entries.randomElement(using: &random)
        else { continue }
        entries.insert(entry, at: place)
      case 2: entries[place].times = UInt8.random(in: 0...40, using: &random)
      case 3: entries[place].times ^= 0x80
      case 4: Mutation.change(&entries[place].message, pool: [], &random)
      default: ProtobufMutation.change(&entries[place].message, &random)
      }
    }
  }
}

/// A producer's way through sequencer, detector and the log's bytes.
private struct IngestedStream {
  private let registration: RunRegistration
  private var sequencer: ProducerSequencer
  private var detector: Detector
  private var time = 1_700_000_000.0
  private(set) var accepted = 0

  init() throws {
    registration = try RunBuilder(run: "fuzz").registration
    sequencer = ProducerSequencer(model: registration.model, lastSequence: 0, lastStep: nil)
    detector = Detector(
      run: registration.run,
      producer: registration.producer.id,
      model: registration.model
    )
  }

  mutating func take(_ entry: ReportList.Entry) throws {
    guard
      let request = try? Gradwatch_V1_StreamTelemetryRequest(serializedBytes: entry.message),
      case .report(var wire)? = request.message
    else { return }
    // Bounded, because what is fed counts inputs and not reports.
    for _ in 0..<min(entry.times & 0x7f, 48) {
      if entry.times & 0x80 == 0 {
        wire.sequence = sequencer.lastSequence + 1
        wire.step &+= 1
      }
      guard wire.sequence > 0 else { return }
      let report = Result { () throws(TelemetryError) in try StepReport(wire: wire) }
      time += 1
      switch sequencer.receive(report, sequence: wire.sequence) {
      case .accept(let report, let rewinds): try accept(report, rewinds: rewinds)
      case .refuse(let error):
        guard !error.field.isEmpty, !error.description.isEmpty else {
          throw FuzzFinding("refused without a field or a reason")
        }
      case .duplicate, .gap: break
      }
    }
  }

  private mutating func accept(_ report: StepReport, rewinds: Bool) throws {
    accepted += 1
    let now = WallTime(clamping: time)
    var transitions = rewinds ? detector.rewind(to: report.step, at: now) : []
    transitions += detector.observe(report, receivedAt: now)
    for transition in transitions { try checkTransition(transition) }

    var body = ByteWriter()
    try LogRowCodec.writeBody(of: report, to: &body)
    let stored: StepReport
    if LogRowCodec.hasHistograms(report) {
      var histograms = ByteWriter()
      try LogRowCodec.writeHistograms(of: report, to: &histograms)
      stored = try LogRowCodec.read(body: body.bytes, histograms: histograms.bytes)
    } else {
      stored = try LogRowCodec.read(body: body.bytes, histograms: nil)
    }
    let sent: [UInt8] = try Gradwatch_V1_StepReport(report).serializedBytes()
    let found: [UInt8] = try Gradwatch_V1_StepReport(stored).serializedBytes()
    guard sent == found else {
      throw FuzzFinding("step \(report.step): stored is not what was sent")
    }
  }

  private func checkTransition(_ transition: AlertTransition) throws {
    var writer = ByteWriter()
    AlertCodec.write(transition, to: &writer, Deflater())
    var again = ByteWriter()
    AlertCodec.write(try AlertCodec.readTransition(writer.bytes), to: &again, Deflater())
    guard writer.array == again.array else {
      throw FuzzFinding("alert \(transition.alert.id): stored is not what was raised")
    }
    let wire = Gradwatch_V1_AlertTransition(transition, cursor: 1)
    let bytes: [UInt8] = try wire.serializedBytes()
    _ = try AlertTransition(wire: try Gradwatch_V1_AlertTransition(serializedBytes: bytes))
  }

  /// Ends the run, and holds the detector against one that is restored.
  mutating func finish() throws {
    _ = detector.tick(at: WallTime(clamping: time + 1e5))
    _ = detector.finish(at: WallTime(clamping: time + 1e5))
    let snapshot = detector.snapshot()
    let restored = try Detector(
      run: registration.run,
      producer: registration.producer.id,
      model: registration.model,
      restoring: snapshot
    )
    guard restored.snapshot() == snapshot else {
      throw FuzzFinding("a detector restored from a snapshot has another state")
    }
  }
}
