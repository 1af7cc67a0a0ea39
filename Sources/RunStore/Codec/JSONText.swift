import Foundation

/// Small values as JSON with sorted keys, so that the same value is the same text.
enum JSONText {
  static func write(_ value: some Encodable) throws(CodecError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
      throw CodecError("expected values that JSON has")
    }
  }

  static func read<Value: Decodable>(
    _ type: Value.Type,
    from text: String
  ) throws(CodecError) -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(text.utf8))
    } catch {
      throw CodecError("expected JSON of this table's form")
    }
  }
}
