/// A text that is no collector's address; whoever wrote it corrects it.
public struct AddressError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Where it is from; empty: the caller knows.
  public var place: String
  /// What it has to be.
  public var expected: String
  /// What it is.
  public var found: String

  /// An error of a text.
  public init(place: String = "", expected: String, found: String) {
    (self.place, self.expected, self.found) = (place, expected, found)
  }

  /// Place, expected and found.
  public var description: String {
    (place.isEmpty ? "" : "\(place): ") + "expected \(expected), found \(found)"
  }
}
