import Telemetry

/// Alerts of one rule that are one fault: they overlap in time, or nearly so, at whatever layers and
/// of whatever producers.
struct AlertGroup {
  /// The rule.
  let rule: RuleID
  /// The alerts, in no order that matters; never empty.
  private(set) var alerts: [Alert]
  /// The alert that speaks for all: of the highest severity, the first.
  private(set) var lead: Alert
  /// Whether one of the alerts is open.
  private(set) var isOpen: Bool
  /// Who showed it.
  private(set) var producers: Set<ProducerID>
  /// The first step at which it was seen.
  private(set) var firstStep: UInt64
  /// The last step at which it was the case, as far as is known.
  private(set) var lastStep: UInt64
  /// The layers by index, from the first to the last that are affected; `nil` if the run as a whole.
  private(set) var layers: ClosedRange<UInt32>?

  /// Two alerts of a rule with so few steps between them are one fault: most rules resolve after 20
  /// to 50 clean evaluations, and what returns right after that had not gone.
  private static let gap: UInt64 = 100

  /// Starts with one alert of a run that is at `lastStep`.
  init(_ alert: Alert, lastStep: UInt64, model: Model) {
    rule = alert.rule
    alerts = [alert]
    lead = alert
    isOpen = alert.state.isOpen
    producers = [alert.producer]
    firstStep = alert.firstStep
    self.lastStep = max(alert.firstStep, alert.resolvedStep ?? lastStep)
    layers = alert.scope.layers(in: model)
  }

  /// Puts alerts together, in the order in which the faults began.
  ///
  /// - Parameters:
  ///   - alerts: The alerts, in the order of ``precedes(_:_:)``.
  ///   - lastStep: The run's last step.
  ///   - model: The run's model.
  /// - Returns: The groups; each alert is in one of them.
  static func groups(of alerts: [Alert], lastStep: UInt64, model: Model) -> [AlertGroup] {
    var groups: [AlertGroup] = []
    var latest: [RuleID: Int] = [:]
    for alert in alerts {
      let next = AlertGroup(alert, lastStep: lastStep, model: model)
      if let index = latest[alert.rule], next.firstStep <= groups[index].lastStep &+ gap {
        groups[index].merge(next)
      } else {
        latest[alert.rule] = groups.count
        groups.append(next)
      }
    }
    return groups
  }

  /// Takes over the alerts of another group of the same rule.
  mutating func merge(_ other: AlertGroup) {
    alerts.append(contentsOf: other.alerts)
    let isWorse = other.lead.severity > lead.severity
    let isEarlier = other.lead.severity == lead.severity && Self.precedes(other.lead, lead)
    if isWorse || isEarlier { lead = other.lead }
    isOpen = isOpen || other.isOpen
    producers.formUnion(other.producers)
    firstStep = min(firstStep, other.firstStep)
    lastStep = max(lastStep, other.lastStep)
    if let mine = layers, let theirs = other.layers {
      layers = min(mine.lowerBound, theirs.lowerBound)...max(mine.upperBound, theirs.upperBound)
    } else {
      layers = nil
    }
  }

  /// By first step, then by what never ties.
  static func precedes(_ left: Alert, _ right: Alert) -> Bool {
    if left.firstStep != right.firstStep { return left.firstStep < right.firstStep }
    if left.rule != right.rule { return left.rule < right.rule }
    if left.producer != right.producer { return left.producer < right.producer }
    return left.id < right.id
  }

  /// The names of the affected layers in forward order; empty for the run as a whole.
  ///
  /// - Parameters:
  ///   - model: The run's model.
  ///   - places: The index of each layer by name.
  /// - Returns: The names, each once.
  func layerNames(in model: Model, places: [String: Int]) -> [String] {
    var indices: Set<Int> = []
    var strangers: [String] = []
    for alert in alerts {
      guard let range = alert.scope.layers(in: model) else { continue }
      // Evidence names the affected layers of a range, unless they are too many.
      let named = alert.evidence.layers
      if !named.isEmpty, named.count < Evidence.maximumNames {
        for name in named {
          if let place = places[name] { indices.insert(place) } else { strangers.append(name) }
        }
      } else {
        indices.formUnion(range.map { Int($0) }.filter(model.layers.indices.contains))
      }
    }
    return indices.sorted().map { model.layers[$0].name } + Set(strangers).sorted()
  }
}
