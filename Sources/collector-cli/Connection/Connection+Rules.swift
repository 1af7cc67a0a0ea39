import Telemetry
import TelemetryWire

extension Connection {
  /// A rule of the collector, by its name.
  ///
  /// - Parameters:
  ///   - name: What somebody wrote.
  ///   - rules: All that the collector has.
  /// - Returns: The rule.
  /// - Throws: ``CommandFailure`` that names the nearest ones if there is none.
  static func rule(
    _ name: String,
    among rules: [Gradwatch_V1_Rule]
  ) throws(CommandFailure) -> Gradwatch_V1_Rule {
    if let rule = rules.first(where: { $0.rule == name }) { return rule }
    let nearest = nearestNames(to: name, among: rules.map(\.rule))
    let hint = nearest.isEmpty ? "" : ", perhaps \(nearest.joined(separator: " or "))"
    throw CommandFailure(
      .notFound,
      "rule \(name): expected one of those that 'rules list' shows\(hint)"
    )
  }

  /// Throws if a filter names a rule that the collector does not have, for which it would wait in vain.
  func checkRules(_ names: [String]) async throws {
    guard !names.isEmpty else { return }
    let rules = try await alerts.listRules(.init(), options: unary).rules
    for name in names { _ = try Self.rule(name, among: rules) }
  }
}
