import Foundation
import Telemetry
import Yams

/// A YAML file of settings, each a name and one value.
///
/// A name that is no setting's is an error: passed over, the setting that was meant would silently not be set.
struct SettingsFile {
  /// The values as they are written, by name; empty for a file without any.
  private(set) var values: [String: String] = [:]
  private let path: String

  /// Reads a file.
  ///
  /// - Throws: ``SettingError`` that tells the place, what was expected and what was found.
  init(path: String) throws(SettingError) {
    self.path = path
    let root: Node?
    do {
      root = try compose(yaml: String(contentsOfFile: path, encoding: .utf8))
    } catch {
      throw SettingError(
        name: "config",
        expected: "a readable YAML file",
        found: "\(path): \(Self.reason(of: error))"
      )
    }
    switch root {
    // Nothing but comments.
    case nil: break
    case .scalar(let scalar)? where scalar.isNothing: break
    case .mapping(let mapping)?: for (key, value) in mapping { try take(key, value) }
    case let root?:
      throw error(at: root, "config", expected: "lines of NAME: VALUE", found: root.kind)
    }
  }

  private mutating func take(_ key: Node, _ value: Node) throws(SettingError) {
    guard let name = key.scalar?.string, Settings.names.contains(name) else {
      let found = key.scalar?.string ?? key.kind
      let nearest = nearestNames(to: found.replacing("_", with: "-"), among: Settings.names)
      let likely = nearest.isEmpty ? Settings.names : nearest
      throw error(
        at: key,
        found,
        expected: (nearest.isEmpty ? "one of " : "a setting's name, perhaps ")
          + likely.joined(separator: nearest.isEmpty ? ", " : " or "),
        found: found
      )
    }
    guard let scalar = value.scalar, !scalar.isNothing else {
      throw error(at: value, name, expected: "one value", found: value.kind)
    }
    values[name] = scalar.string
  }

  private func error(
    at node: Node,
    _ name: String,
    expected: String,
    found: String
  ) -> SettingError {
    let place = node.mark.map { "\(path):\($0.line):\($0.column)" } ?? path
    return SettingError(place: place, name: name, expected: expected, found: found)
  }

  /// Why a file can't be read, in one line.
  private static func reason(of error: any Error) -> String {
    guard error is YamlError else { return error.localizedDescription }
    return "\(error)".split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
  }
}

extension Node.Scalar {
  /// Whether it is YAML's null, as left out values are.
  fileprivate var isNothing: Bool {
    style == .plain && ["", "~", "null", "Null", "NULL"].contains(string)
  }
}

extension Node {
  /// What it is, for people.
  fileprivate var kind: String {
    switch self {
    case .scalar(let scalar): scalar.isNothing ? "nothing" : "one value"
    case .sequence: "a list"
    case .mapping: "a mapping"
    case .alias: "an alias"
    }
  }
}
