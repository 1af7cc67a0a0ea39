import Detection
import Telemetry
import TelemetryTesting

extension FuzzTarget {
  /// The state of a detector, with a checksum that fits.
  static let detectorSnapshot = FuzzTarget(
    name: "detector_snapshot",
    seeds: { random in
      try (0..<12).map { index in
        let run = try RunBuilder(run: "fuzz")
        var detector = Detector(
          run: run.registration.run,
          producer: run.registration.producer.id,
          model: run.registration.model
        )
        for sequence in 1...UInt64(1 + 12 * index) {
          let trouble = TroubledReport.allCases.randomElement(using: &random) ?? .healthy
          _ = detector.observe(
            trouble.report(sequence, of: run),
            receivedAt: WallTime(clamping: 1.7e9 + Double(sequence))
          )
        }
        return detector.snapshot()
      }
    },
    mutate: { bytes, pool, random in
      // Behind the mark, the version and the fingerprints of rules and model, mostly.
      let start = Int.random(in: 0..<16, using: &random) == 0 ? 0 : 24
      Mutation.change(&bytes, from: start, pool: pool, &random)
      guard bytes.count > 32, Int.random(in: 0..<16, using: &random) > 0 else { return }
      // FNV-1a, 64 bits.
      let sum = bytes.dropLast(8).reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
        ($0 ^ UInt64($1)) &* 0x100_0000_01b3
      }
      for byte in 0..<8 {
        bytes[bytes.count - 8 + byte] = UInt8(truncatingIfNeeded: sum >> UInt64(8 * byte))
      }
    },
    check: { input throws(FuzzFinding) in
      do {
        let run = try RunBuilder(run: "fuzz")
        var detector: Detector
        do throws(SnapshotError) {
          detector = try Detector(
            run: run.registration.run,
            producer: run.registration.producer.id,
            model: run.registration.model,
            restoring: input
          )
        } catch {
          return false
        }
        // Whatever its state, it goes on.
        for sequence in UInt64(1)...3 {
          for trouble in [TroubledReport.healthy, .nonFinite, .exploding] {
            let step = 10 * sequence + (trouble == .healthy ? 0 : 1)
            _ = detector.observe(
              trouble.report(sequence, step: step, of: run),
              receivedAt: WallTime(clamping: 1.7e9)
            )
          }
        }
        _ = detector.rewind(to: 5, at: WallTime(clamping: 1.7e9))
        _ = detector.tick(at: WallTime(clamping: 1.8e9))
        _ = detector.finish(at: WallTime(clamping: 1.8e9))
        _ = detector.snapshot()
        return true
      } catch {
        throw FuzzFinding("\(error)")
      }
    }
  )
}
