import Telemetry
import Yams

extension RuleFileReader {
  /// One member of a mapping.
  struct Entry {
    var key: String
    var keyNode: Node
    var value: Node
  }

  /// The file's node; `nil`, and a problem, if it is no YAML.
  mutating func compose(_ bytes: [UInt8]) -> Node? {
    let start = Position.start
    guard bytes.count <= RuleFile.maximumBytes else {
      let expected = "at most \(RuleFile.maximumBytes) bytes"
      fail(start, "", expected: expected, found: "\(bytes.count)")
      return nil
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      fail(start, "", expected: "UTF-8", found: "other bytes")
      return nil
    }
    // Looked for before parsing: a few lines of nested aliases grow to more than memory holds.
    if let anchor = Self.anchor(in: text) {
      fail(anchor, "", expected: "no anchor", found: "&")
      return nil
    }
    do {
      if let root = try Yams.compose(yaml: text) { return root }
      fail(start, "", expected: "a mapping with rules, expect", found: "an empty file")
    } catch let error as YamlError {
      fail(error, in: text)
    } catch {
      fail(start, "", expected: "YAML", found: "\(error)")
    }
    return nil
  }

  /// The members of a mapping, in order, each key once.
  mutating func entries(of node: Node, at place: String, or expected: String) -> [Entry] {
    guard case .mapping(let mapping) = node else {
      fail(node, place, expected: expected, found: node.found)
      return []
    }
    var seen: Set<String> = []
    var entries: [Entry] = []
    for (keyNode, value) in mapping {
      guard case .scalar(let key) = keyNode else {
        fail(keyNode, place, expected: "a name", found: keyNode.found)
        continue
      }
      // To Yams a name with a tag is another one.
      guard seen.insert(key.string).inserted else {
        fail(keyNode, place, expected: "each name once", found: "\(key.string.quoted) again")
        continue
      }
      entries.append(Entry(key: key.string, keyNode: keyNode, value: value))
    }
    return entries
  }

  /// The elements of a list that must have some.
  mutating func elements(
    of node: Node,
    _ place: String,
    or expected: String,
    most: Int
  ) -> [Node] {
    guard case .sequence(let sequence) = node else {
      fail(node, place, expected: expected, found: node.found)
      return []
    }
    guard (1...most).contains(sequence.count) else {
      fail(node, place, expected: "1 to \(most) elements", found: "\(sequence.count)")
      return []
    }
    return Array(sequence)
  }

  private mutating func fail(_ error: YamlError, in text: String) {
    let (position, problem): (Position, String) =
      switch error {
      case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
        .composer(_, let problem, let mark, _):
        (Position(mark), problem)
      case .duplicatedKeysInMapping(let duplicates, let context):
        (Position(context.mark), "\((duplicates.first ?? "").quoted) more than once in one mapping")
      case .reader(let problem, let offset, _, _):
        (Position(ofByte: offset ?? 0, in: text), problem)
      default: (.start, "\(error)")
      }
    fail(position, "", expected: "YAML", found: problem)
  }

  /// The place of the first `&` that could begin an anchor; a line of comment has none.
  private static func anchor(in text: String) -> Position? {
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    where line.drop(while: \.isWhitespace).first != "#" {
      var before: Unicode.Scalar = " "
      for (column, scalar) in line.unicodeScalars.enumerated() {
        let mayBegin =
          before.properties.isWhitespace || "[{,:-?!".unicodeScalars.contains(before)
        if scalar == "&", mayBegin {
          return Position(line: number + 1, column: column + 1)
        }
        before = scalar
      }
    }
    return nil
  }
}

extension Node {
  /// The text of a scalar that is written without quotes and tag; `nil` for anything else.
  var plain: String? {
    guard case .scalar(let scalar) = self, scalar.style == .plain || scalar.style == .any,
      scalar.tag.description == Tag.implicit.description
    else { return nil }
    return scalar.string
  }

  /// Whether this is a mapping.
  var isMapping: Bool { mapping != nil }

  /// What an error says that it found.
  var found: String {
    switch self {
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .alias: "an alias"
    case .scalar(let scalar):
      scalar.string.isEmpty
        ? "nothing" : plain == nil ? "the text \(scalar.string.quoted)" : scalar.string.quoted
    }
  }
}

extension String {
  /// Quoted for an error, at most 48 characters of it.
  var quoted: String { (count > 48 ? prefix(47) + "…" : self[...]).debugDescription }
}

extension Double {
  /// Takes a finite decimal number; neither words nor hexadecimal digits.
  init?(decimal text: String) {
    guard text.utf8.count <= 64, text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }),
      let value = Double(text), value.isFinite
    else { return nil }
    self = value
  }

  /// Without a fraction of zero: `1`, `0.5`, `1e-07`.
  var short: String {
    let text = "\(self)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}

extension Severity {
  /// All words, for an error.
  static let words = "info, warning or critical"

  /// Takes a severity's name.
  init?(word: String) {
    guard let known = Self.allCases.first(where: { "\($0)" == word }) else { return nil }
    self = known
  }
}
