/// The rule that every name and identifier that came from outside must pass.
///
/// Names end up in terminals, logs and file paths of users, so control characters are refused, and
/// they are stored with every run, so their length is bounded.
public enum Name {
  /// The most bytes of UTF-8 that a name may take.
  ///
  /// The longest module path seen in the labelled traces takes 61; 512 leaves room for generated names.
  public static let maximumBytes = 512

  /// Checks one name.
  ///
  /// - Parameters:
  ///   - name: What the client sent; quoted in no error, because it may be anything.
  ///   - field: Where it stood, for the error.
  /// - Throws: ``TelemetryError/outOfRange(field:expected:found:)`` if it is empty, too long, or has a
  ///   control character. The sender must not send it again unchanged.
  public static func check(_ name: String, field: String) throws(TelemetryError) {
    guard !name.isEmpty else {
      throw .outOfRange(field: field, expected: "a name", found: "an empty string")
    }
    let bytes = name.utf8.count
    guard bytes <= maximumBytes else {
      throw .outOfRange(
        field: field,
        expected: "at most \(maximumBytes) bytes of UTF-8",
        found: "\(bytes) bytes"
      )
    }
    // Control characters are those of ASCII and of Latin-1, U+0080 to U+009F, whose first byte is 0xC2. Looking
    // a scalar's properties up takes longer than all else of decoding a model's names.
    guard name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f || $0 == 0xc2 }) else { return }
    let control = name.unicodeScalars.first { $0.properties.generalCategory == .control }
    if let control {
      throw .outOfRange(
        field: field,
        expected: "no control character",
        found: "U+" + String(control.value, radix: 16, uppercase: true)
      )
    }
  }
}
