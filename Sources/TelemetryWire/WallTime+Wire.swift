public import SwiftProtobuf
public import Telemetry

extension Google_Protobuf_Timestamp {
  /// Makes the wire form of a time, to the nanosecond.
  public init(_ time: WallTime) {
    let whole = time.seconds.rounded(.down)
    self.init(
      seconds: Int64(whole),
      // Rounding may give 1e9, which is no valid fraction.
      nanos: Int32(min(((time.seconds - whole) * 1e9).rounded(), 999_999_999))
    )
  }
}

extension WallTime {
  /// Takes a time from the wire, brought into range.
  public init(wire: Google_Protobuf_Timestamp) {
    self.init(clamping: Double(wire.seconds) + Double(wire.nanos) / 1e9)
  }
}
