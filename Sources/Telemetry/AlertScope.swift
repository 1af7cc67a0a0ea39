/// What part of a model an alert speaks of.
public enum AlertScope: Hashable, Sendable {
  /// The run as a whole: its loss, its global norm, its stream.
  case run
  /// A contiguous range of layers, by index in forward order, both ends included.
  case layers(ClosedRange<UInt32>)
  /// One tensor, by index.
  case tensor(UInt32)
}
