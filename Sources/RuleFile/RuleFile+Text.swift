import Telemetry
import Yams

extension RuleFile {
  /// The file as YAML; ``init(parsing:name:)`` reads the same file back.
  ///
  /// Keys are sorted, and what changes nothing is left out.
  public var text: String {
    var members: [(Node, Node)] = [
      (
        Node("rules"),
        Node(rules.rules.filter { !$0.isEmpty }.map { (Node($0.rule.rawValue), $0.node) })
      )
    ]
    if !expectations.isEmpty {
      members.append(
        (Node("expect"), Node(expectations.map { (Node($0.rule.rawValue), $0.outcome.node) }))
      )
    }
    // Scalars and mappings that are made here give an emitter nothing to refuse.
    return (try? Yams.serialize(node: Node(members), width: -1, allowUnicode: true)) ?? ""
  }
}

extension RuleSettings {
  /// Whether they change nothing.
  fileprivate var isEmpty: Bool { self == RuleSettings(rule) }

  fileprivate var node: Node {
    var members: [(Node, Node)] = []
    if let isEnabled { members.append((Node("enabled"), Node(isEnabled ? "on" : "off"))) }
    // On or off alone is written as one word.
    if isEnabled != nil, self == onlySwitched { return members[0].1 }
    for (name, value) in thresholds.sorted(by: { $0.key < $1.key }) {
      members.append((Node(name), Node(value.short)))
    }
    if !severities.isEmpty {
      let changes = severities.sorted { $0.key < $1.key }.map { from, to in
        (Node("\(from)"), Node(to.map { "\($0)" } ?? "off"))
      }
      members.append((Node("severities"), Node(changes, .implicit, .flow)))
    }
    if !layers.isEmpty { members.append((Node("layers"), Self.list(layers, .doubleQuoted))) }
    if !exceptLayers.isEmpty {
      members.append((Node("except_layers"), Self.list(exceptLayers, .doubleQuoted)))
    }
    if !roles.isEmpty {
      let words = TensorRole.allCases.filter(roles.contains).map { "\($0)" }
      members.append((Node("roles"), Self.list(words, .plain)))
    }
    return Node(members)
  }

  private var onlySwitched: RuleSettings {
    var settings = RuleSettings(rule)
    settings.isEnabled = isEnabled
    return settings
  }

  private static func list(_ texts: [String], _ style: Node.Scalar.Style) -> Node {
    Node(texts.map { Node($0, .implicit, style) }, .implicit, .flow)
  }
}

extension RuleExpectation.Outcome {
  fileprivate var node: Node {
    switch self {
    case .never: Node("never")
    case .fires(.info, 0...Step.maximum): Node("fires")
    case .fires(let severity, let steps):
      Node(
        [
          (Node("from"), Node("\(steps.lowerBound)")), (Node("to"), Node("\(steps.upperBound)")),
          (Node("severity"), Node("\(severity)")),
        ],
        .implicit,
        .flow
      )
    }
  }
}
