import Telemetry

/// The bytes of gradient norms through time, in log rows and beside segments.
enum TimeStepNormsCodec {
  /// Appends the profiles of one report.
  static func write(_ profiles: [TimeStepNorms], to writer: inout ByteWriter) {
    writer.append(UInt32(profiles.count))
    for profile in profiles {
      writer.append(profile.layer)
      writer.append(counted: profile.positions)
      writer.append(counted: profile.norms)
    }
  }

  /// Reads the profiles of one report.
  static func read(from reader: inout ByteReader) throws(CodecError) -> [TimeStepNorms] {
    var profiles: [TimeStepNorms] = []
    for _ in 0..<(try reader.readEntryCount(atLeast: 12)) {
      let layer = try reader.read(UInt32.self)
      let positions = try reader.readCounted(of: UInt32.self)
      profiles.append(
        TimeStepNorms(layer: layer, positions: positions, norms: try reader.readCounted())
      )
    }
    return profiles
  }
}
