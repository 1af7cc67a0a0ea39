import Telemetry

/// Puts the remedies of a tree of findings into one order, one change at a time.
struct RemedyPlanner {
  private let history: CaseHistory

  /// So many changes tried one by one are a day's work; what comes after them is guessing.
  private static let maximumRemedies = 8

  /// Plans for the findings of a run.
  init(_ history: CaseHistory) { self.history = history }

  /// What to try about a root cause and what follows from it, and what not to do.
  ///
  /// The root's remedies come first, in their rule's order: what cures the cause cures the rest. A
  /// consequence adds what is new and is not advised against anywhere in the tree.
  func plan(for root: Finding) -> (remedies: [Remedy], cautions: [Remedy]) {
    let findings = root.all
    let cautions = cautions(for: findings, root: root)
    let forbidden = Set(cautions.compactMap(\.topic))
    var remedies: [Remedy] = []
    var actions: Set<String> = []
    var topics: Set<RemedyTopic> = []
    for finding in findings {
      for remedy in finding.alerts.flatMap(\.remedies) where isOwn(remedy, of: finding) {
        let topic = RemedyTopic(remedy.action)
        let isNew = topic == .other || !topics.contains(topic)
        let isUndone = topic.opposite.map(topics.contains) ?? false
        guard isNew, !isUndone, !forbidden.contains(topic),
          actions.insert(remedy.action.lowercased()).inserted
        else { continue }
        topics.insert(topic)
        remedies.append(fitted(remedy, topic))
      }
    }
    return (Array(remedies.prefix(Self.maximumRemedies)), cautions.map(\.advice))
  }

  /// Whether it is more than a pointer to the cause, which a plan for the cause has no use for.
  private func isOwn(_ remedy: Remedy, of finding: Finding) -> Bool {
    finding.claim == nil || !remedy.action.hasPrefix("follow the alert")
  }

  /// The cautions that hold for a tree: those of the root, and those of consequences unless they
  /// speak against what the root asks for in the first place.
  private func cautions(for findings: [Finding], root: Finding) -> [Caution] {
    let first = root.alerts.flatMap(\.remedies).prefix(2).map { RemedyTopic($0.action) }
    let wanted = Set(first)
    let rules = Set(findings.map(\.rule.rawValue))
    var isForbidden: Set<RemedyTopic> = []
    return Caution.all.filter { caution in
      if caution.rules.contains(root.rule.rawValue) {
        // What began with a rate that was raised asks for what is else advised against.
        guard caution.topic == nil || caution.topic != first.first else { return false }
        return caution.topic.map { isForbidden.insert($0).inserted } ?? true
      }
      guard let topic = caution.topic, !caution.rules.isDisjoint(with: rules),
        !wanted.contains(topic)
      else { return false }
      return isForbidden.insert(topic).inserted
    }
  }

  /// A remedy with what is known of optimizer, rate and batch.
  private func fitted(_ remedy: Remedy, _ topic: RemedyTopic) -> Remedy {
    var remedy = remedy
    switch topic {
    case .normalization:
      guard let batch = batchSize, remedy.action.lowercased().contains("batch normalization") else {
        break
      }
      if batch < Self.leastBatch {
        remedy.action = "add group or layer normalization before the activation"
        remedy.reason +=
          "; batch statistics of \(batch) samples are too noisy for it to be of a batch"
      } else {
        remedy.action = "add batch normalization before the activation"
      }
    case .lowerRate, .raiseRate:
      if let rate = history.learningRate {
        remedy.reason += "; it is \(rate) now"
        if let optimizer { remedy.reason += ", with \(optimizer)" }
      }
    default: break
    }
    return remedy
  }

  /// Below 16 samples the statistics of a batch are too noisy to normalize by.
  private static let leastBatch: UInt64 = 16

  private var batchSize: UInt64? {
    history.batchSize
      ?? hyperparameter("batch_size", "batchsize", "batch").flatMap { UInt64($0) }
  }

  private var optimizer: String? {
    hyperparameter("optimizer", "optim", "optimizer_name").map { String($0.prefix(64)) }
  }

  /// The first of these hyper-parameters that the run has, whatever its case.
  private func hyperparameter(_ names: String...) -> String? {
    for name in names {
      let found = history.hyperparameters.filter { $0.key.lowercased() == name }
      if let value = found.min(by: { $0.key < $1.key })?.value, !value.isEmpty { return value }
    }
    return nil
  }
}
