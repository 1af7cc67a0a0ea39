public import Telemetry

// Snapshot: mark and version, 8 bytes · fingerprint of the rules, 8 · fingerprint of run, producer
// and model, 8 · the rule set · state: last step, history, then rule by rule its own state and its episodes ·
// checksum of everything before it, 8 (FNV-1a). All numbers are little-endian.
extension Detector {
  /// The version of the format.
  ///
  /// Raise it with every change of any `code(_:)`.
  private static var version: UInt64 { 6 }
  /// "GWDT", in the upper half of the first word.
  private static var mark: UInt64 { 0x5444_5747 }
  /// Bytes of the three words before the state.
  private static var headerBytes: Int { 24 }

  /// The state as bytes, for ``init(run:producer:model:restoring:)``.
  ///
  /// Taken between two reports. Which ticks passed is not in it.
  public func snapshot() -> [UInt8] {
    var writer = StateWriter()
    writer.append(Self.mark << 32 | Self.version)
    writer.append(Self.fingerprintOfRules())
    writer.append(fingerprintOfModel())
    var copy = self
    var rules = rules
    // A writer has nothing to refuse.
    try? writer.code(&rules)
    try? copy.code(&writer)
    writer.append(Fingerprint(of: writer.bytes).value)
    return writer.bytes
  }

  /// Restores a detector from ``snapshot()``'s bytes.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - producer: The producer.
  ///   - model: The model that the run is registered with.
  ///   - snapshot: The bytes; any bytes give a detector or an error.
  /// - Throws: ``SnapshotError``. The caller then starts with a fresh detector.
  public init(
    run: RunID,
    producer: ProducerID,
    model: Model,
    restoring snapshot: [UInt8]
  ) throws(SnapshotError) {
    // The header and the checksum hold for any rule set; the set itself comes first in the state.
    self.init(run: run, producer: producer, model: model)
    var header = StateReader(snapshot[...])
    var (first, ofRules, ofModel): (UInt64, UInt64, UInt64) = (0, 0, 0)
    try header.code(&first)
    guard first >> 32 == Self.mark else { throw .notASnapshot }
    guard first & 0xffff_ffff == Self.version else {
      throw .unknownVersion(expected: Self.version, found: first & 0xffff_ffff)
    }
    try header.code(&ofRules)
    guard ofRules == Self.fingerprintOfRules() else { throw .otherRules }
    try header.code(&ofModel)
    guard ofModel == fingerprintOfModel() else { throw .otherModel }
    guard snapshot.count >= Self.headerBytes + 8 else { throw .truncated(offset: snapshot.count) }
    let end = snapshot.count - 8
    var trailer = StateReader(snapshot[end...])
    var found: UInt64 = 0
    try trailer.code(&found)
    let expected = Fingerprint(of: snapshot[..<end]).value
    guard expected == found else { throw .checksumMismatch(expected: expected, found: found) }
    var reader = StateReader(snapshot[Self.headerBytes..<end])
    var rules = RuleSet()
    try reader.code(&rules)
    self.init(run: run, producer: producer, model: model, rules: rules)
    try code(&reader)
    guard reader.isAtEnd else { throw reader.malformed() }
  }

  private mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try context.code(&coder)
    for index in slots.indices {
      try slots[index].rule.code(&coder)
      try slots[index].machine.code(&coder)
    }
  }

  private static func fingerprintOfRules() -> UInt64 {
    var fingerprint = Fingerprint()
    for rule in standardRules { fingerprint.add(rule.id.rawValue) }
    return fingerprint.value
  }

  /// Of what the state is laid out by; labels that only texts use may change.
  private func fingerprintOfModel() -> UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.add(run.rawValue)
    fingerprint.add(producer.rawValue)
    for layer in model.layers { fingerprint.add(layer.name) }
    for tensor in model.tensors {
      fingerprint.add(tensor.name)
      fingerprint.add(UInt64(tensor.layer))
      fingerprint.add(tensor.elementCount)
      fingerprint.add(UInt64(tensor.role.rawValue))
      fingerprint.add(tensor.isTrainable ? 1 : 0)
      fingerprint.add(tensor.tiedTo.map { UInt64($0) + 1 } ?? 0)
    }
    return fingerprint.value
  }
}

/// FNV-1a, 64 bits: finds accidents, not attacks; a snapshot is the collector's own file.
private struct Fingerprint {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  init() {}

  init(of bytes: some Sequence<UInt8>) {
    for byte in bytes { add(byte) }
  }

  mutating func add(_ text: String) {
    for byte in text.utf8 { add(byte) }
    add(UInt8(0))
  }

  mutating func add(_ word: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      add(UInt8(truncatingIfNeeded: word >> shift))
    }
  }

  private mutating func add(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }
}
