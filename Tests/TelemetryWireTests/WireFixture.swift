import SwiftProtobuf
import Telemetry
import TelemetryWire

/// Wire messages for tests.
enum WireFixture {
  /// The floats that a careless conversion changes: NaN with payloads, signs of zero, the extremes.
  static let oddFloats: [Float] = [
    Float(bitPattern: 0x7fc1_2345), Float(bitPattern: 0xffc0_0001), -0.0, 0, .infinity, -.infinity,
    .leastNonzeroMagnitude, -.leastNormalMagnitude, .greatestFiniteMagnitude, 1.1,
  ]

  static let oddDoubles: [Double] = [
    Double(bitPattern: 0x7ff8_0000_0012_3456), Double(bitPattern: 0xfff8_0000_0000_0001), -0.0, 0,
    .infinity, -.infinity, .leastNonzeroMagnitude, -.leastNormalMagnitude,
    .greatestFiniteMagnitude, 1.1,
  ]

  /// The smallest report that is taken.
  static func report() -> Gradwatch_V1_StepReport {
    .with { ($0.sequence, $0.step, $0.wallTimeSeconds) = (1, 0, 1_700_000_000.25) }
  }

  /// A column of odd values that no other column has: `number` is in its first one.
  static func floats(_ number: Int) -> [Float] { [Float(number)] + oddFloats }

  static func counts(_ number: Int) -> [UInt64] {
    [UInt64(number), 0, .max, 1 << 63, 127, 128, 1 << 32, 3, 4, 5, 6]
  }

  /// A report that uses every field there is.
  static func fullReport() -> Gradwatch_V1_StepReport {
    let ids = Array(UInt32(0)..<11)
    var report = report()
    report.sequence = 41
    report.step = UInt64(Int64.max)
    report.losses = oddDoubles.enumerated().map { index, value in
      .with { ($0.name, $0.value) = ("loss-\(index)", value) }
    }
    report.learningRate = -0.0
    report.globalNorm = oddDoubles[0]
    report.clipping = .with {
      ($0.kind, $0.threshold, $0.clipped) = (.adaptive, .leastNonzeroMagnitude, true)
    }
    report.lossScale = .infinity
    report.gradientsScaled = true
    report.optimizerSkipped = true
    report.batchSize = UInt64(Int64.max)
    report.phase = .decay
    report.droppedSteps = .max
    report.annotations = [
      .with {
        ($0.action, $0.detail) = ("lower_rate", "learning rate 0.01 -> 0.002")
        $0.alertID = "0123456789abcdef"
      }, .with { $0.action = "stop" },
    ]
    report.gradients = .with {
      $0.tensorIds = ids
      ($0.norm, $0.mean, $0.meanAbs) = (floats(1), floats(2), floats(3))
      ($0.std, $0.min, $0.max) = (floats(4), floats(5), floats(6))
      ($0.zeroCount, $0.nanCount) = (counts(7), counts(8))
      ($0.positiveInfinityCount, $0.negativeInfinityCount) = (counts(9), counts(10))
    }
    report.parameters = .with {
      ($0.tensorIds, $0.norm, $0.updateNorm) = (ids.reversed(), floats(11), floats(12))
    }
    report.histograms = .with {
      ($0.tensorIds, $0.scale, $0.zeroCount) = ([3, 1], -2, [.max, 5])
      ($0.positiveOffset, $0.positiveLength) = ([-1100, 7], [2, 0])
      ($0.negativeOffset, $0.negativeLength) = ([1097, -8], [3, 1])
      $0.counts = [1, 0, .max, 128, 1 << 40, 6]
    }
    report.explicitHistograms = .with {
      ($0.tensorIds, $0.bounds) = ([2, 0], [-1.5, -.leastNonzeroMagnitude, 0, 1e300])
      $0.counts = [1, 2, 3, 4, 5, 6, 7, 8, 9, .max]
    }
    report.activations = .with {
      ($0.layerIds, $0.mean, $0.std) = (ids, floats(13), floats(14))
      ($0.zeroFraction, $0.saturatedFraction) = (floats(15), floats(16))
      $0.deadUnitFraction = floats(17)
    }
    report.timeStepNorms = [
      .with { ($0.layerID, $0.positions, $0.norms) = (4, [0, 1, .max], [1, .nan, -0.0]) },
      .with { ($0.layerID, $0.positions, $0.norms) = (.max, [], []) },
    ]
    return report
  }
}

extension SwiftProtobuf.Message {
  /// The bytes of this message, always in the same order.
  func bytes() throws -> [UInt8] {
    var options = BinaryEncodingOptions()
    options.useDeterministicOrdering = true
    return try serializedBytes(options: options)
  }

  /// The message after a way over the wire.
  func sent() throws -> Self { try Self(serializedBytes: bytes()) }

  /// The message as text, by the field names of the proto.
  func json() throws -> String {
    var options = JSONEncodingOptions()
    options.useDeterministicOrdering = true
    options.preserveProtoFieldNames = true
    return try jsonString(options: options)
  }
}
