import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire

extension FuzzTarget {
  /// A message of the telemetry stream: the decoder of ours against the generated one.
  static let decoding = FuzzTarget(
    name: "decoding",
    seeds: { random in
      try (UInt64(1)...32).map { sequence in
        let report = StepReport.random(
          sequence,
          step: sequence,
          layers: 3,
          tensors: 6,
          using: &random
        )
        return try Gradwatch_V1_StreamTelemetryRequest.with {
          $0.report = Gradwatch_V1_StepReport(report)
        }.serializedBytes()
      }
    },
    mutate: { bytes, pool, random in
      if Int.random(in: 0..<3, using: &random) == 0 {
        Mutation.change(&bytes, pool: pool, &random)
      } else {
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          ProtobufMutation.change(&bytes, &random)
        }
      }
    },
    check: { input throws(FuzzFinding) in
      let expected = try? Gradwatch_V1_StreamTelemetryRequest(serializedBytes: input)
      let cut = input.withUnsafeBytes(
        Gradwatch_V1_StreamTelemetryRequest.init(cuttingCountsOutOf:)
      )
      let found = cut ?? expected
      // By bytes, because NaN differs from itself.
      let bytes: ([UInt8]?, [UInt8]?) = (
        try? expected?.serializedBytes(), try? found?.serializedBytes()
      )
      guard bytes.0 == bytes.1 else {
        throw FuzzFinding(
          "expected \(String(describing: bytes.0)), found \(String(describing: bytes.1))"
        )
      }
      return expected != nil
    }
  )
}
