/// Something in a store that can't be read back.
public struct StoredDamage: Sendable, Hashable, CustomStringConvertible {
  /// Where: run, producer, tensor or layer, steps.
  public var place: String
  /// What was expected and found.
  public var detail: String
  /// What of it can be read all the same; empty if nothing.
  public var saved: String

  /// Makes a finding.
  public init(place: String, detail: String, saved: String = "") {
    self.place = place
    self.detail = detail
    self.saved = saved
  }

  /// The place first, as one fragment.
  public var description: String {
    "\(place): damaged: \(detail)" + (saved.isEmpty ? "" : "; can still be read: \(saved)")
  }
}
