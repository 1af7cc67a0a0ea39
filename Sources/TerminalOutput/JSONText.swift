/// JSON put together from pieces that are JSON already, such as protobuf's.
public enum JSONText {
  /// A number; NaN and infinities are the strings that protobuf's JSON has for them.
  public static func number(_ value: Double) -> String {
    value.isFinite ? plainNumber(value) : "\"\(plainNumber(value))\""
  }

  /// A number without quotes, whatever it is: what CSV holds.
  static func plainNumber(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "Infinity" : "-Infinity" }
    return "\(value)"
  }

  /// A string, quoted and escaped.
  public static func string(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += #"\""#
      case "\\": quoted += #"\\"#
      case "\n": quoted += #"\n"#
      case "\r": quoted += #"\r"#
      case "\t": quoted += #"\t"#
      case _ where scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value):
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  /// An array of values that are JSON.
  public static func array(_ values: [String]) -> String {
    "[" + values.joined(separator: ",") + "]"
  }

  /// An object of members whose values are JSON, in this order.
  public static func object(_ members: KeyValuePairs<String, String>) -> String {
    "{" + members.map { string($0.key) + ":" + $0.value }.joined(separator: ",") + "}"
  }

  /// Sets JSON for people: an entry a line, indented by two spaces, except that an array without
  /// objects or arrays inside stays on one line, as columns of numbers are long.
  ///
  /// - Parameter json: Well-formed JSON; anything else comes out as badly formed as it went in.
  /// - Returns: The same JSON with other white space, without a line feed at the end.
  public static func indented(_ json: String) -> String {
    var writer = JSONIndenter(Array(json.utf8))
    return writer.run()
  }
}
