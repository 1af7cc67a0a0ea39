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
      StalledRun.self,
    ]
  }

  /// The identifier of every rule, with one sentence on when it fires.
  public static var ruleSummaries: [(id: RuleID, summary: String)] {
    standardRules.map { ($0.id, $0.summary) }
  }
}
