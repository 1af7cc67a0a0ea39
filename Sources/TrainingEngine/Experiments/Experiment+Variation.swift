extension Experiment {
  /// Makes a variation: what changes, and what should then be seen.
  ///
  /// Unless said otherwise, a variation is a cure of this experiment's fault, and nothing above info may be raised.
  func varied(
    _ identifier: String,
    _ name: String,
    _ title: String,
    source: String? = nil,
    claim: String,
    finding: String,
    isFix: Bool = true,
    must: [ExpectedAlert] = [],
    may: Set<String> = [],
    mustNot: [ExpectedAlert] = [.any(.warning)],
    _ change: (inout Experiment) -> Void
  ) -> Experiment {
    var copy = self
    copy.identifier = identifier
    copy.name = name
    copy.title = title
    if let source { copy.source = source }
    copy.sourceClaim = claim
    copy.finding = finding
    copy.fixes = isFix ? self.name : nil
    copy.mustAlert = must
    copy.mayAlert = may
    copy.mustNotAlert = mustNot
    change(&copy)
    return copy
  }
}
