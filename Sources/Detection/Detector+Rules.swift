public import Telemetry

extension Detector {
  /// Every rule, in the order in which it looks at a report.
  ///
  /// A new rule is entered here.
  static var standardRules: [any Rule.Type] {
    [
      NonFiniteGradient.self,
      NonFiniteLoss.self,
      ExplodingGradient.self,
      VanishingGradient.self,
      UniformlySmallGradient.self,
      GradientSpike.self,
      WeightJump.self,
      PoorInitialization.self,
      DeadReLU.self,
      SaturatedActivation.self,
      RNNVanishingThroughTime.self,
      RNNExplodingThroughTime.self,
      UnchangedWeights.self,
      UpdateRatioTooHigh.self,
      UpdateRatioTooLow.self,
      ClippingEveryStep.self,
      GradientLongTail.self,
      GradientUnderflow.self,
      GradientNoise.self,
      LossSpike.self,
      LossDivergence.self,
      LossPlateau.self,
      LossOscillation.self,
      StalledRun.self,
    ]
  }

  /// Every rule, for listings and for files that change them.
  public static var catalogue: [RuleDescription] {
    standardRules.map {
      RuleDescription(id: $0.id, summary: $0.summary, thresholds: $0.thresholds)
    } + [RankComparison.description]
  }

  /// Looks whether a user's rule set names what there is.
  ///
  /// - Parameter rules: The set.
  /// - Throws: ``RuleSetError`` of the first setting that is wrong. The caller refuses the set.
  public static func check(_ rules: RuleSet) throws(RuleSetError) {
    for settings in rules.rules {
      guard let kind = catalogue.first(where: { $0.id == settings.rule }) else {
        throw .unknownRule(settings.rule)
      }
      for (name, value) in settings.thresholds.sorted(by: { $0.key < $1.key }) {
        guard let threshold = kind.thresholds.first(where: { $0.name == name }) else {
          throw .unknownThreshold(
            settings.rule,
            name: name,
            expected: kind.thresholds.map(\.name)
          )
        }
        guard threshold.range.contains(value) else {
          throw .outOfRange(
            settings.rule,
            threshold: name,
            expected: threshold.range,
            found: value
          )
        }
      }
    }
  }

  /// Takes other settings from the next report on; baselines and open alerts stay.
  ///
  /// - Parameters:
  ///   - rules: What the user changed, all of it.
  ///   - time: When.
  /// - Returns: The open alerts of rules that were switched off, resolved.
  public mutating func apply(_ rules: RuleSet, at time: WallTime) -> [AlertTransition] {
    var transitions: [AlertTransition] = []
    for index in slots.indices {
      let id = type(of: slots[index].rule).id
      guard rules[id] != self.rules[id] else { continue }
      let tuning = Tuning(rules[id], layers: model.layers, tensors: model.tensors)
      slots[index].retune(tuning, context.anatomy)
      guard !slots[index].tuning.isEnabled else { continue }
      let moment = Moment(step: context.number, time: time)
      slots[index].machine.resolveAll(at: moment, into: &transitions)
    }
    self.rules = rules
    return transitions
  }
}

extension Detector.Slot {
  /// Gives the rule other thresholds, and the state that it had.
  fileprivate mutating func retune(_ tuning: Tuning, _ anatomy: Anatomy) {
    var state = StateWriter()
    var next: any Rule = type(of: rule).init(anatomy, tuning)
    // What the same type has just written is read back as it was.
    try? rule.code(&state)
    var reader = StateReader(state.bytes[...])
    try? next.code(&reader)
    rule = next
    self.tuning = tuning
  }
}
