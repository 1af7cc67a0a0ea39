public import Telemetry

/// Columns that were never sent, and the rules that therefore saw nothing.
public struct BlindSpot: Sendable, Hashable {
  /// The columns; any one of them would have been enough.
  public var columns: [ReportColumn]
  /// The rules, by identifier.
  public var rules: [RuleID]
  /// The producers that never sent any of the columns, by identifier.
  public var producers: [ProducerID]

  /// Makes a blind spot.
  public init(columns: [ReportColumn], rules: [RuleID], producers: [ProducerID]) {
    self.columns = columns
    self.rules = rules
    self.producers = producers
  }
}

extension BlindSpot {
  /// The blind spots of a run, those of most rules first; none before the first report.
  static func all(in history: CaseHistory) -> [BlindSpot] {
    var spots: [[ReportColumn]: (rules: Set<RuleID>, producers: Set<ProducerID>)] = [:]
    for rule in history.rules where RuleNeeds.applies(rule, to: history.model) {
      for alternatives in RuleNeeds.columns(of: rule) {
        let blind = history.columns.filter { $0.value.isDisjoint(with: alternatives) }.keys
        guard !blind.isEmpty else { continue }
        spots[alternatives, default: ([], [])].rules.insert(rule)
        spots[alternatives, default: ([], [])].producers.formUnion(blind)
      }
    }
    return spots.map { columns, spot in
      BlindSpot(columns: columns, rules: spot.rules.sorted(), producers: spot.producers.sorted())
    }.sorted { left, right in
      if left.rules.count != right.rules.count { return left.rules.count > right.rules.count }
      return left.columns.map(\.rawValue).lexicographicallyPrecedes(right.columns.map(\.rawValue))
    }
  }
}
