import Telemetry

/// The bytes of what a report says of its step as a whole, in log rows and in segments.
///
/// Every number is kept bit for bit. A flag says whether an optional one follows.
enum ScalarsCodec {
  private enum Flag {
    static let learningRate: UInt16 = 1
    static let globalNorm: UInt16 = 2
    static let clipping: UInt16 = 4
    static let clipped: UInt16 = 8
    static let lossScale: UInt16 = 16
    static let gradientsAreScaled: UInt16 = 32
    static let optimizerSkipped: UInt16 = 64
    static let batchSize: UInt16 = 128
    static let annotations: UInt16 = 256
    static let all: UInt16 = 511
  }

  /// Appends scalars.
  static func write(_ scalars: StepScalars, to writer: inout ByteWriter) {
    var flags: UInt16 = 0
    if scalars.learningRate != nil { flags |= Flag.learningRate }
    if scalars.globalNorm != nil { flags |= Flag.globalNorm }
    if let clipping = scalars.clipping {
      flags |= Flag.clipping | (clipping.clipped ? Flag.clipped : 0)
    }
    if scalars.lossScale != nil { flags |= Flag.lossScale }
    if scalars.gradientsAreScaled { flags |= Flag.gradientsAreScaled }
    if scalars.optimizerSkipped { flags |= Flag.optimizerSkipped }
    if scalars.batchSize != nil { flags |= Flag.batchSize }
    if !scalars.annotations.isEmpty { flags |= Flag.annotations }

    writer.append(scalars.step)
    writer.append(scalars.wallTime.seconds)
    writer.append(scalars.droppedSteps)
    writer.append(flags)
    writer.append(scalars.phase.rawValue)
    if let rate = scalars.learningRate { writer.append(rate) }
    if let norm = scalars.globalNorm { writer.append(norm) }
    if let clipping = scalars.clipping {
      writer.append(clipping.kind.rawValue)
      writer.append(clipping.threshold)
    }
    if let scale = scalars.lossScale { writer.append(scale) }
    if let size = scalars.batchSize { writer.append(size) }
    writer.append(UInt32(scalars.losses.count))
    for loss in scalars.losses {
      writer.append(loss.name)
      writer.append(loss.value)
    }
    guard !scalars.annotations.isEmpty else { return }
    writer.append(UInt32(scalars.annotations.count))
    for annotation in scalars.annotations {
      writer.append(annotation.action)
      writer.append(annotation.detail)
      writer.append(annotation.alert?.rawValue ?? "")
    }
  }

  /// Reads scalars.
  static func read(from reader: inout ByteReader) throws(CodecError) -> StepScalars {
    let step = try reader.read(UInt64.self)
    var scalars = StepScalars(step: step, wallTime: WallTime(clamping: try reader.readDouble()))
    scalars.droppedSteps = try reader.read()
    let flags = try reader.read(UInt16.self)
    guard flags <= Flag.all else {
      throw .unexpected("flags of step \(step)", expected: "at most \(Flag.all)", found: "\(flags)")
    }
    scalars.phase = try reader.readCase()
    scalars.gradientsAreScaled = flags & Flag.gradientsAreScaled != 0
    scalars.optimizerSkipped = flags & Flag.optimizerSkipped != 0
    if flags & Flag.learningRate != 0 { scalars.learningRate = try reader.readDouble() }
    if flags & Flag.globalNorm != 0 { scalars.globalNorm = try reader.readDouble() }
    if flags & Flag.clipping != 0 {
      let kind = try reader.readCase(of: Clipping.Kind.self)
      scalars.clipping = Clipping(
        kind: kind,
        threshold: try reader.readDouble(),
        clipped: flags & Flag.clipped != 0
      )
    }
    if flags & Flag.lossScale != 0 { scalars.lossScale = try reader.readDouble() }
    if flags & Flag.batchSize != 0 { scalars.batchSize = try reader.read() }
    for _ in 0..<(try reader.readEntryCount(atLeast: 12)) {
      let name = try reader.readString()
      scalars.losses.append(NamedLoss(name: name, value: try reader.readDouble()))
    }
    guard flags & Flag.annotations != 0 else { return scalars }
    for _ in 0..<(try reader.readEntryCount(atLeast: 12)) {
      let action = try reader.readString()
      let detail = try reader.readString()
      let alert = try reader.readString()
      scalars.annotations.append(
        StepAnnotation(
          action: action,
          detail: detail,
          alert: alert.isEmpty ? nil : AlertID(alert)
        )
      )
    }
    return scalars
  }
}
