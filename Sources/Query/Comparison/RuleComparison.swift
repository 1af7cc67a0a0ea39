import RunStore
public import Telemetry

/// What one rule raised in two runs.
public struct RuleComparison: Sendable, Hashable {
  /// What it raised in one of them.
  public struct Occurrence: Sendable, Hashable {
    /// The number of its alerts that fired.
    public var count: Int
    /// The highest severity of them.
    public var severity: Severity
    /// The first step at which one was seen.
    public var firstStep: UInt64
    /// The layers, in forward order, where the earliest one is, at most ``Evidence/maximumNames``; empty: the run as a whole.
    public var layers: [String]
  }

  /// The rule.
  public var rule: RuleID
  /// Run a's alerts; `nil`: none fired.
  public var a: Occurrence?
  /// Run b's alerts; `nil`: none fired.
  public var b: Occurrence?

  /// Reads what the rules raised in two runs, the earliest first.
  static func all(_ a: RunReader, _ b: RunReader) throws(QueryError) -> [RuleComparison] {
    let occurrences = (try occurrences(in: a), try occurrences(in: b))
    return Set(occurrences.0.keys).union(occurrences.1.keys).map { rule in
      RuleComparison(rule: rule, a: occurrences.0[rule], b: occurrences.1[rule])
    }.sorted { ($0.firstStep, $0.rule) < ($1.firstStep, $1.rule) }
  }

  private var firstStep: UInt64 { [a, b].compactMap(\.?.firstStep).min() ?? 0 }

  private static func occurrences(
    in reader: RunReader
  ) throws(QueryError) -> [RuleID: Occurrence] {
    var found: [RuleID: Occurrence] = [:]
    var page = PageRequest(size: 1000)
    let filter = AlertFilter(
      run: reader.run.run,
      states: [.firing, .acknowledged, .resolved]
    )
    do throws(RunStoreError) {
      repeat {
        let alerts = try reader.store.alerts(filter, page: page)
        for alert in alerts.items where alert.firedStep != nil && !alert.wasRewound {
          var known =
            found[alert.rule]
            ?? Occurrence(
              count: 0,
              severity: alert.severity,
              firstStep: alert.firstStep,
              layers: layers(of: alert, in: reader.model)
            )
          known.count += 1
          known.severity = max(known.severity, alert.severity)
          if alert.firstStep < known.firstStep {
            known.firstStep = alert.firstStep
            known.layers = layers(of: alert, in: reader.model)
          }
          found[alert.rule] = known
        }
        page.after = alerts.next
      } while page.after != nil
    } catch {
      throw .store(error)
    }
    return found
  }

  /// Where an alert is, which is not what its evidence names if that is the run.
  private static func layers(of alert: Alert, in model: Model) -> [String] {
    guard let range = alert.scope.layers(in: model) else { return [] }
    // Evidence names those of a range that are affected.
    guard alert.evidence.layers.isEmpty else { return alert.evidence.layers }
    let indices = range.lazy.map { Int($0) }.filter(model.layers.indices.contains)
    return indices.prefix(Evidence.maximumNames).map { model.layers[$0].name }
  }
}
