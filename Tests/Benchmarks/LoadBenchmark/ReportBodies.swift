import Foundation
import SwiftProtobuf
import TelemetryTesting
import TelemetryWire

/// Reports that are encoded before the clock starts, so that the collector is measured and not its client.
///
/// Sequence number and step, which differ from report to report, are put in front, for concatenated protobuf
/// messages are one message.
struct ReportBodies: Sendable {
  /// As many different reports as a chunk has rows: fewer would repeat in a chunk, and compress as no
  /// training does.
  private static let count = 256
  /// Elements of a tensor: a matrix of 256 x 256.
  static let elements: UInt64 = 65_536

  private let bodies: [[UInt8]]

  /// Draws reports of seven statistics, and histograms if there are buckets.
  init(tensors: Int, buckets: Int) throws {
    var generator = SeededGenerator(seed: 42)
    bodies = try (0..<Self.count).map { _ in
      try Self.body(tensors: tensors, buckets: buckets, &generator).serializedBytes()
    }
  }

  private static func body(
    tensors: Int,
    buckets: Int,
    _ generator: inout SeededGenerator
  ) -> Gradwatch_V1_StepReport {
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
    guard buckets > 0 else { return report }
    let side = UInt32(buckets / 2)
    report.histograms.zeroCount = Array(repeating: 3, count: tensors)
    report.histograms.positiveOffset = Array(repeating: -30, count: tensors)
    report.histograms.positiveLength = Array(repeating: side, count: tensors)
    report.histograms.negativeOffset = Array(repeating: -30, count: tensors)
    report.histograms.negativeLength = Array(repeating: side, count: tensors)
    // All counts add up to the element count, whichever bucket they are in.
    var counts: [UInt64] = []
    counts.reserveCapacity(2 * Int(side) * tensors)
    for _ in 0..<tensors {
      var left = elements - 3
      for bucket in 0..<(2 * side) {
        let count =
          bucket + 1 == 2 * side
          ? left
          : UInt64.random(in: 0...(2 * left / UInt64(2 * side - bucket)), using: &generator)
        counts.append(count)
        left -= count
      }
    }
    report.histograms.counts = counts
    return report
  }

  /// A StreamTelemetryRequest: the report's tag and length, its number and step, and the encoded rest.
  func message(_ sequence: UInt64) -> [UInt8] {
    let body = bodies[Int(sequence % UInt64(bodies.count))]
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
