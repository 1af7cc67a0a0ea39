import Detection
import Telemetry
import Yams

/// Reads a rule file and gathers every problem on the way.
///
/// Yams gives nodes with their places; what a node may be is decided here, not by YAML's types: `off`
/// is a word, and a number is what is written as one.
struct RuleFileReader {
  /// What is wrong, in the file's order.
  private(set) var problems: [RuleFileProblem] = []
  private let catalogue = Detector.catalogue

  /// Reads a file; what it returns counts only if there are no problems.
  mutating func read(_ bytes: [UInt8]) -> RuleFile? {
    guard let root = compose(bytes) else { return nil }
    var settings: [RuleSettings] = []
    var expectations: [RuleExpectation] = []
    for entry in entries(of: root, at: "", or: "a mapping with rules, expect") {
      switch entry.key {
      case "rules":
        for rule in entries(of: entry.value, at: "rules", or: "a mapping of rules") {
          if let read = readSettings(rule) { settings.append(read) }
        }
      case "expect":
        for rule in entries(of: entry.value, at: "expect", or: "a mapping of rules") {
          if let read = readExpectation(rule) { expectations.append(read) }
        }
      default: fail(entry.keyNode, "", expected: "rules or expect", found: entry.key.quoted)
      }
    }
    return RuleFile(rules: RuleSet(settings), expectations: expectations)
  }

  /// Notes a problem of a node.
  mutating func fail(_ node: Node, _ place: String, expected: String, found: String) {
    fail(Position(node.mark), place, expected: expected, found: found)
  }

  /// Notes a problem; those past the bound are not looked for.
  mutating func fail(_ position: Position, _ place: String, expected: String, found: String) {
    guard problems.count < RuleFileError.maximumProblems else { return }
    problems.append(
      RuleFileProblem(
        line: position.line,
        column: position.column,
        place: place,
        expected: expected,
        found: found
      )
    )
  }

  // MARK: Rules

  private mutating func readSettings(_ entry: Entry) -> RuleSettings? {
    guard let rule = knownRule(entry, at: "rules") else { return nil }
    let place = "rules.\(rule.id)"
    var settings = RuleSettings(rule.id)
    if let word = entry.value.plain {
      settings.isEnabled = readSwitch(entry.value, word, place, or: ", or a mapping of settings")
      return settings
    }
    let members = entries(of: entry.value, at: place, or: "on, off, or a mapping of settings")
    if members.isEmpty, entry.value.isMapping {
      fail(entry.value, place, expected: "at least one setting", found: "an empty mapping")
    }
    for member in members { readMember(member, of: rule, at: place, into: &settings) }
    return settings
  }

  private mutating func readMember(
    _ member: Entry,
    of rule: RuleDescription,
    at place: String,
    into settings: inout RuleSettings
  ) {
    let value = member.value
    let at = "\(place).\(member.key)"
    switch member.key {
    case "enabled": settings.isEnabled = readSwitch(value, value.plain, at)
    case "severities": settings.severities = readSeverities(value, at)
    case "layers": settings.layers = readGlobs(value, at)
    case "except_layers": settings.exceptLayers = readGlobs(value, at)
    case "roles": settings.roles = readRoles(value, at)
    default:
      if let threshold = rule.thresholds.first(where: { $0.name == member.key }) {
        settings.thresholds[threshold.name] = readThreshold(value, threshold, at)
      } else {
        let names = rule.thresholds.map(\.name) + Self.members
        fail(
          member.keyNode,
          place,
          expected: "one of \(names.joined(separator: ", "))",
          found: member.key.quoted
        )
      }
    }
  }

  /// What a rule's mapping may hold beside its thresholds.
  static let members = ["enabled", "severities", "layers", "except_layers", "roles"]

  private mutating func readThreshold(
    _ node: Node,
    _ threshold: Threshold,
    _ place: String
  ) -> Double? {
    let range = threshold.range
    let bounds = "a number from \(range.lowerBound.short) to \(range.upperBound.short)"
    guard let text = node.plain, let value = Double(decimal: text), range.contains(value) else {
      fail(node, place, expected: bounds, found: node.found)
      return nil
    }
    return value
  }

  private mutating func readSeverities(_ node: Node, _ place: String) -> [Severity: Severity?] {
    var severities: [Severity: Severity?] = [:]
    let members = entries(of: node, at: place, or: "a mapping of severities")
    for member in members {
      guard let from = Severity(word: member.key) else {
        fail(member.keyNode, place, expected: Severity.words, found: member.key.quoted)
        continue
      }
      let word = member.value.plain ?? ""
      if word == "off" {
        severities[from] = .some(nil)
      } else if let to = Severity(word: word) {
        severities[from] = to
      } else {
        fail(
          member.value,
          "\(place).\(member.key)",
          expected: "\(Severity.words), or off",
          found: member.value.found
        )
      }
    }
    if members.isEmpty, node.isMapping {
      fail(node, place, expected: "at least one severity", found: "an empty mapping")
    }
    return severities
  }

  private mutating func readGlobs(_ node: Node, _ place: String) -> [String] {
    var globs: [String] = []
    for element in elements(of: node, place, or: "a list of layer names", most: Self.maximumGlobs) {
      // A star at the start is an alias to YAML, so globs are quoted; numbers are names of layers.
      guard case .scalar(let scalar) = element, !scalar.string.isEmpty else {
        fail(
          element,
          place,
          expected: "a layer's name, which may hold * and ?",
          found: element.found
        )
        continue
      }
      do throws(TelemetryError) {
        try Name.check(scalar.string, field: place)
        globs.append(scalar.string)
      } catch {
        guard case .outOfRange(_, let expected, let found) = error else { continue }
        fail(element, place, expected: expected, found: found)
      }
    }
    return globs
  }

  /// The most globs of a list, as the contract bounds them.
  private static let maximumGlobs = RuleSettings.maximumGlobs

  private mutating func readRoles(_ node: Node, _ place: String) -> Set<TensorRole> {
    var roles: Set<TensorRole> = []
    let most = TensorRole.allCases.count
    for element in elements(of: node, place, or: "a list of roles", most: most) {
      if let role = TensorRole.allCases.first(where: { "\($0)" == element.plain }) {
        roles.insert(role)
      } else {
        let words = TensorRole.allCases.map { "\($0)" }.joined(separator: ", ")
        fail(element, place, expected: "one of \(words)", found: element.found)
      }
    }
    return roles
  }

  // MARK: Expectations

  private mutating func readExpectation(_ entry: Entry) -> RuleExpectation? {
    guard let rule = knownRule(entry, at: "expect") else { return nil }
    let place = "expect.\(rule.id)"
    switch entry.value.plain {
    case "never": return RuleExpectation(rule.id, .never)
    case "fires": return RuleExpectation(rule.id, .fires(severity: .info, steps: 0...Step.maximum))
    case _?:
      fail(
        entry.value,
        place,
        expected: "never, fires, or a mapping of from, to, severity",
        found: entry.value.found
      )
      return nil
    case nil: break
    }
    var (from, to) = (UInt64(0), Step.maximum)
    var severity = Severity.info
    for member in entries(of: entry.value, at: place, or: "never, fires, or a mapping") {
      let at = "\(place).\(member.key)"
      switch member.key {
      case "from": from = readStep(member.value, at) ?? from
      case "to": to = readStep(member.value, at) ?? to
      case "severity":
        if let read = member.value.plain.flatMap(Severity.init(word:)) {
          severity = read
        } else {
          fail(member.value, at, expected: Severity.words, found: member.value.found)
        }
      default:
        fail(member.keyNode, place, expected: "from, to or severity", found: member.key.quoted)
      }
    }
    guard from <= to else {
      fail(entry.value, place, expected: "from not after to", found: "\(from) and \(to)")
      return nil
    }
    return RuleExpectation(rule.id, .fires(severity: severity, steps: from...to))
  }

  private mutating func readStep(_ node: Node, _ place: String) -> UInt64? {
    if let step = node.plain.flatMap(UInt64.init), step <= Step.maximum { return step }
    fail(node, place, expected: "a step from 0", found: node.found)
    return nil
  }

  // MARK: Parts of both

  private mutating func knownRule(_ entry: Entry, at place: String) -> RuleDescription? {
    if let rule = catalogue.first(where: { $0.id.rawValue == entry.key }) { return rule }
    let nearest = nearestNames(to: entry.key, among: catalogue.map(\.id.rawValue))
    fail(
      entry.keyNode,
      place,
      expected: nearest.isEmpty
        ? "a rule, as `rules list` shows them"
        : "a rule, perhaps \(nearest.joined(separator: " or "))",
      found: entry.key.quoted
    )
    return nil
  }

  private mutating func readSwitch(
    _ node: Node,
    _ word: String?,
    _ place: String,
    or others: String = ""
  ) -> Bool? {
    switch word {
    case "on": return true
    case "off": return false
    default:
      fail(
        node,
        place,
        expected: others.isEmpty ? "on or off" : "on, off\(others)",
        found: node.found
      )
      return nil
    }
  }
}
