import Telemetry

/// Findings, each under the one that explains it best.
struct CausalForest {
  /// Those that nothing explains, the most important first: what is open before what was resolved,
  /// then by the highest severity in the tree, then by how much it explains, then by time.
  let roots: [Finding]

  /// Builds the trees.
  ///
  /// - Parameters:
  ///   - groups: The faults, in the order in which they began.
  ///   - history: The run.
  init(_ groups: [AlertGroup], history: CaseHistory) {
    let links = Self.links(between: groups)
    var children: [Int?: [Int]] = [:]
    for index in groups.indices { children[links[index]?.cause, default: []].append(index) }
    let names = RunNames(history)
    roots = Self.trees(under: nil, groups, links, children, names).sorted(by: Self.precedes)
  }

  /// The finding that explains another, by index, and why.
  private struct Link {
    let cause: Int
    let claim: CausalClaim
  }

  private static func links(between groups: [AlertGroup]) -> [Link?] {
    var links = [Link?](repeating: nil, count: groups.count)
    for effect in groups.indices {
      let candidates = groups.indices.compactMap { cause -> Link? in
        guard cause != effect,
          let relation = CausalRelation.all[groups[cause].rule]?[groups[effect].rule]
        else { return nil }
        let reverse = CausalRelation.all[groups[effect].rule]?[groups[cause].rule]
        return relation.claim(groups[cause], groups[effect], reverse: reverse)
          .map { Link(cause: cause, claim: $0) }
      }
      // The surest; of equal ones the latest, which is the nearest link of the chain.
      links[effect] = candidates.sorted {
        ($0.claim.confidence, $0.cause) > ($1.claim.confidence, $1.cause)
      }.first { !isBelow($0.cause, effect, links) }
    }
    return links
  }

  /// Whether `index` is `ancestor` or explained by it: a cause must not follow from its effect.
  private static func isBelow(_ index: Int, _ ancestor: Int, _ links: [Link?]) -> Bool {
    var place: Int? = index
    while let current = place {
      if current == ancestor { return true }
      place = links[current]?.cause
    }
    return false
  }

  private static func trees(
    under parent: Int?,
    _ groups: [AlertGroup],
    _ links: [Link?],
    _ children: [Int?: [Int]],
    _ names: RunNames
  ) -> [Finding] {
    var findings: [Finding] = []
    // Leaves of one rule under one cause are the same fault again, and told once.
    var leaves: [RuleID: (group: AlertGroup, place: Int)] = [:]
    for index in children[parent] ?? [] {
      let below = trees(under: index, groups, links, children, names)
      var group = groups[index]
      if below.isEmpty, let earlier = leaves[group.rule] {
        var merged = earlier.group
        merged.merge(group)
        group = merged
        var finding = Finding(group, names)
        finding.claim = findings[earlier.place].claim
        findings[earlier.place] = finding
        leaves[group.rule] = (group, earlier.place)
        continue
      }
      var finding = Finding(group, names)
      finding.claim = links[index]?.claim
      finding.consequences = below
      if below.isEmpty { leaves[group.rule] = (group, findings.count) }
      findings.append(finding)
    }
    return findings
  }

  private static func precedes(_ left: Finding, _ right: Finding) -> Bool {
    let (leftOpen, rightOpen) = (rank(left.openSeverity), rank(right.openSeverity))
    if leftOpen != rightOpen { return leftOpen > rightOpen }
    if left.worstSeverity != right.worstSeverity { return left.worstSeverity > right.worstSeverity }
    let (leftCount, rightCount) = (left.all.count, right.all.count)
    if leftCount != rightCount { return leftCount > rightCount }
    if left.firstStep != right.firstStep { return left.firstStep < right.firstStep }
    return left.rule < right.rule
  }

  private static func rank(_ severity: Severity?) -> UInt8 { severity?.rawValue ?? 0 }
}
