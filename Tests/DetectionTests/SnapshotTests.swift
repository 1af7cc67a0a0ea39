import Detection
import Telemetry
import Testing

@Suite("snapshots")
struct SnapshotTests {
  /// A run with everything in it: a spike, skips, vanishing, NaN, a new rate, slow growth.
  private static func script(_ net: Net) -> [StepReport] {
    var noise = Noise(seed: 11)
    var size = Float(1)
    return (0..<280).map { step in
      if step > 150 { size *= 1.07 }
      let usual = Float(noise.factor(1.3)) * size * (step == 45 ? 80 : 1)
      let base: Float = (60..<90).contains(step) ? 0.3 : 1
      let loss = (1 + noise.fraction()) * Double(size)
      var report = net.report(UInt64(step), loss: step % 140 == 118 ? .nan : loss) {
        usual * power(base, net.depth - 1 - $0) * ($0 == 3 && (115...116).contains(step) ? .nan : 1)
      }
      report.scalars.learningRate = step < 100 ? 0.01 : 0.0001
      if [20, 21, 22, 50].contains(step) {
        report.scalars.globalNorm = .infinity
        report.scalars.optimizerSkipped = true
      }
      return report
    }
  }

  @Test("an alert that the producer went back over is not taken up again after a restart")
  func rewoundAlert() throws {
    let net = try Net(depth: 2)
    func report(_ step: UInt64, isBroken: Bool = false) -> StepReport {
      net.report(step, loss: isBroken ? .nan : 1) { _ in isBroken ? .nan : 1 }
    }
    var detector = try Self.detector(net)
    var stored: [AlertID: Alert] = [:]
    func note(_ changes: [AlertTransition]) {
      for change in changes { stored[change.alert.id] = change.alert }
    }
    for step in UInt64(0)..<95 {
      note(detector.observe(report(step, isBroken: step == 65), receivedAt: Watch.time(step)))
    }
    note(detector.rewind(to: 2, at: Watch.time(95)))
    #expect(
      stored.values.contains { $0.rule == RuleID("non_finite_loss") && $0.state == .resolved }
    )
    for step in UInt64(2)..<100 {
      note(detector.observe(report(step), receivedAt: Watch.time(step)))
    }
    var restarted = try Detector(
      run: RunID("run"),
      producer: ProducerID("rank-0"),
      model: net.model,
      restoring: detector.snapshot()
    )
    var withAll = restarted
    restarted.adopt(Array(stored.values), isReplayed: true)
    // One that was not told all reports can't know, and takes what the store has.
    withAll.adopt(Array(stored.values))
    let again = report(100, isBroken: true)
    let expected = Self.texts(&detector, [again])
    #expect(Self.texts(&restarted, [again]) == expected)
    #expect(Self.texts(&withAll, [again]) != expected)
  }

  /// Transitions as text, because NaN in evidence is unequal to itself.
  private static func texts(
    _ detector: inout Detector,
    _ reports: some Sequence<StepReport>
  )
    -> [String]
  {
    reports.flatMap { report in
      detector.observe(report, receivedAt: Watch.time(report.step)).map(Self.text)
    }
  }

  private static func text(_ change: AlertTransition) -> String {
    let facts = change.alert.evidence.facts.sorted { $0.key < $1.key }
    var copy = change
    copy.alert.evidence.facts = [:]
    return "\(copy) \(facts)"
  }

  private static func detector(_ net: Net) throws -> Detector {
    Detector(run: try RunID("run"), producer: try ProducerID("rank-0"), model: net.model)
  }

  private static func restored(_ net: Net, _ bytes: [UInt8]) throws -> Detector {
    try Detector(
      run: RunID("run"),
      producer: ProducerID("rank-0"),
      model: net.model,
      restoring: bytes
    )
  }

  @Test("the same reports give the same transitions")
  func determinism() throws {
    let net = try Net(depth: 6)
    var (first, second) = (try Self.detector(net), try Self.detector(net))
    let texts = Self.texts(&first, Self.script(net))
    for rule in ["vanishing", "exploding", "spike", "non_finite_gradient", "non_finite_loss"] {
      #expect(texts.contains { $0.contains(rule) && $0.contains("firing") })
    }
    #expect(texts == Self.texts(&second, Self.script(net)))
    #expect(first.snapshot() == second.snapshot())
  }

  @Test("restored at any step, the rest of the run gives the same transitions and the same bytes")
  func everyStep() throws {
    let net = try Net(depth: 6)
    let script = Self.script(net)
    var live = try Self.detector(net)
    var snapshots: [[UInt8]] = []
    var changes: [[String]] = []
    for report in script {
      snapshots.append(live.snapshot())
      changes.append(Self.texts(&live, [report]))
    }
    for start in script.indices {
      var copy = try Self.restored(net, snapshots[start])
      #expect(copy.snapshot() == snapshots[start])
      let rest = Self.texts(&copy, script[start...])
      #expect(rest == Array(changes[start...].joined()), "restored before step \(start)")
      #expect(copy.snapshot() == live.snapshot(), "restored before step \(start)")
    }
  }

  @Test("every truncation is an error")
  func truncation() throws {
    let net = try Net(depth: 3)
    var detector = try Self.detector(net)
    _ = Self.texts(&detector, [net.report(0, loss: .nan)])
    let bytes = detector.snapshot()
    for count in 0..<bytes.count {
      #expect(throws: SnapshotError.self) { try Self.restored(net, Array(bytes[..<count])) }
    }
    #expect(throws: SnapshotError.self) { try Self.restored(net, bytes + [0]) }
  }

  @Test("every flipped byte is an error")
  func flips() throws {
    let net = try Net(depth: 2)
    var detector = try Self.detector(net)
    _ = Self.texts(&detector, [net.report(0, loss: .nan)])
    let bytes = detector.snapshot()
    for index in bytes.indices {
      var flipped = bytes
      flipped[index] ^= 0x41
      #expect(throws: SnapshotError.self) { try Self.restored(net, flipped) }
    }
  }

  @Test("random bytes are an error, and behind a true checksum an error or a detector that runs")
  func randomBytes() throws {
    let net = try Net(depth: 3)
    var detector = try Self.detector(net)
    _ = Self.texts(&detector, Self.script(net).prefix(50))
    let bytes = detector.snapshot()
    let seed: UInt64 = 2024
    var noise = Noise(seed: seed)
    var accepted = 0
    let rest = Self.script(net).suffix(30)
    for turn in 0..<3000 {
      let length = Int(noise.next() % 200)
      let random = (0..<length).map { _ in UInt8(truncatingIfNeeded: noise.next()) }
      #expect(throws: SnapshotError.self, "seed \(seed), turn \(turn)") {
        try Self.restored(net, random)
      }
      // Past the header, a few bytes are replaced, and the checksum is made true again.
      var body = Array(bytes.dropLast(8))
      for _ in 0...(noise.next() % 4) {
        let place = 24 + Int(noise.next() % UInt64(body.count - 24))
        body[place] = noise.next() % 2 == 0 ? 0xff : UInt8(truncatingIfNeeded: noise.next())
      }
      guard var copy = try? Self.restored(net, body + Self.checksum(body)) else { continue }
      accepted += 1
      _ = Self.texts(&copy, rest)
      _ = copy.tick(at: WallTime(clamping: 1e9))
      _ = copy.rewind(to: 3, at: WallTime(clamping: 1e9))
      _ = copy.snapshot()
    }
    #expect(accepted > 0)
  }

  /// FNV-1a, 64 bits, little-endian.
  private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
    let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3
    }
    return (0..<8).map { UInt8(truncatingIfNeeded: hash >> (8 * $0)) }
  }

  @Test("a snapshot of another version, run, producer or model is refused as such")
  func foreign() throws {
    let net = try Net(depth: 3)
    var bytes = try Self.detector(net).snapshot()
    #expect(throws: SnapshotError.otherModel) {
      try Self.restored(try Net(depth: 4), bytes)
    }
    #expect(throws: SnapshotError.otherModel) {
      try Detector(
        run: RunID("other"),
        producer: ProducerID("rank-0"),
        model: net.model,
        restoring: bytes
      )
    }
    bytes[0] = 99
    #expect(throws: SnapshotError.unknownVersion(expected: 6, found: 99)) {
      try Self.restored(net, bytes)
    }
    #expect(throws: SnapshotError.notASnapshot) {
      try Self.restored(net, [UInt8](repeating: 7, count: 64))
    }
  }
}
