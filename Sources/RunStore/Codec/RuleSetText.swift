import Foundation
import Telemetry

/// Rule sets as text that a person can read in the database: JSON with sorted keys.
///
/// Members that a reader does not know are passed over, and those that are missing change nothing,
/// so the text has no version.
enum RuleSetText {
  /// Writes a set; its thresholds are finite.
  static func write(_ rules: RuleSet) throws(CodecError) -> String {
    try JSONText.write(rules.rules.map(Entry.init))
  }

  /// Reads a set.
  ///
  /// - Throws: ``CodecError`` if it is no JSON of this form; what it names may be unknown to rules.
  static func read(_ text: String) throws(CodecError) -> RuleSet {
    RuleSet(try JSONText.read([Entry].self, from: text).map(\.settings))
  }

  private struct Entry: Codable {
    var rule: String
    var enabled: Bool?
    var thresholds: [String: Double]?
    /// "off" for none.
    var severities: [String: String]?
    var layers: [String]?
    var exceptLayers: [String]?
    var roles: [String]?

    init(_ settings: RuleSettings) {
      rule = settings.rule.rawValue
      enabled = settings.isEnabled
      if !settings.thresholds.isEmpty { thresholds = settings.thresholds }
      if !settings.severities.isEmpty {
        severities = Dictionary(
          uniqueKeysWithValues: settings.severities.map { from, to in
            ("\(from)", to.map { "\($0)" } ?? "off")
          }
        )
      }
      if !settings.layers.isEmpty { layers = settings.layers }
      if !settings.exceptLayers.isEmpty { exceptLayers = settings.exceptLayers }
      if !settings.roles.isEmpty { roles = settings.roles.map { "\($0)" }.sorted() }
    }

    var settings: RuleSettings {
      var settings = RuleSettings(RuleID(rule))
      settings.isEnabled = enabled
      settings.thresholds = thresholds ?? [:]
      for (from, to) in severities ?? [:] {
        guard let from = Severity.allCases.first(where: { "\($0)" == from }) else { continue }
        settings.severities[from] = .some(Severity.allCases.first { "\($0)" == to })
      }
      settings.layers = layers ?? []
      settings.exceptLayers = exceptLayers ?? []
      settings.roles = Set(
        (roles ?? []).compactMap { word in TensorRole.allCases.first { "\($0)" == word } }
      )
      return settings
    }
  }
}
