import Telemetry

extension Diagnosis {
  /// The verdict in one sentence.
  ///
  /// - Parameter ruleCount: The number of rules that watched.
  /// - Returns: The sentence, without a full stop.
  func verdictText(ruleCount: Int) -> String {
    switch verdict {
    case .noData: "no data: no step was reported yet"
    case .healthy: "healthy: nothing above info in \(stepText)\(blindText(ruleCount))"
    case .recovered: "recovered: \(story), and all of it was resolved"
    case .sick: story
    }
  }

  /// The first root, what follows from it, and how many other causes there are.
  private var story: String {
    let faults = roots.filter { $0.finding.worstSeverity > .info }
    guard let first = faults.first else { return "nothing above info" }
    var text = "\(first.finding.rule.rawValue.words) since step \(first.finding.firstStep)"
    text += Self.place(first.finding)
    // Each rule once: a chain may come back to one.
    var effects: [String] = []
    for finding in first.finding.all.dropFirst() where finding.rule != first.finding.rule {
      let words = finding.rule.rawValue.words
      if !effects.contains(words) { effects.append(words) }
    }
    if !effects.isEmpty { text += " explains \(Self.list(effects))" }
    switch faults.count - 1 {
    case 0: break
    case 1: text += "; one more fault has a cause of its own"
    default: text += "; \(faults.count - 1) more faults have causes of their own"
    }
    return text
  }

  private static func place(_ finding: Finding) -> String {
    let ranks = finding.ranks
    let who =
      ranks.isEmpty || ranks.count > 8
      ? "" : " on rank\(ranks.count == 1 ? "" : "s") " + list(ranks.map(String.init))
    switch finding.layers.count {
    case 0: return who
    case 1: return " in \(finding.layers[0])" + who
    default: return " in \(finding.layers[0]) to \(finding.layers[finding.layers.count - 1])" + who
    }
  }

  /// Names as people list them: the first four, and how many more there are.
  private static func list(_ names: [String]) -> String {
    if names.count > 5 {
      return names.prefix(4).joined(separator: ", ") + " and \(names.count - 4) more"
    }
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " and " + last
  }

  private var stepText: String { stepCount == 1 ? "1 step" : "\(stepCount) steps" }

  private func blindText(_ ruleCount: Int) -> String {
    let blind = Set(blindSpots.flatMap(\.rules)).count
    guard blind > 0, ruleCount > 0 else { return "" }
    return ", as far as \(max(0, ruleCount - blind)) of \(ruleCount) rules could see"
  }
}

extension String {
  /// A rule's identifier as words.
  fileprivate var words: String { String(map { $0 == "_" ? " " : $0 }) }
}
