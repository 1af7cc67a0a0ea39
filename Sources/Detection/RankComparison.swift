public import Telemetry

/// Holds the ranks of a data-parallel run against each other, step by step: R21.
///
/// Gradients before the all-reduce are of one size on all ranks, and after it they are equal. A rank
/// that is far off, or alone not finite, has a fault of its own: bad memory, a bad shard, lost
/// synchronization. So it is with weights: those that were equal at two measured steps are replicas, not shards,
/// and have to stay equal. That tells also of an all-reduce that none of the ranks takes part in any more. It is judged when all ranks have told of a step, in whatever order they do; the
/// alert is that rank's. Producers without a rank, and runs of fewer than three ranks, are not
/// compared: of two nobody knows which one is right. A run that goes on with another number of ranks
/// is compared anew, and the alerts of those that are no more are resolved.
public struct RankComparison: Sendable {
  /// The rule's identifier.
  public static let rule = RuleID("rank_divergence")
  static let description = RuleDescription(
    id: rule,
    summary: "One rank's gradient or weights are far from the others', or it alone is not finite",
    thresholds: [deviations, ratio, drift]
  )

  private static let deviations = Threshold(
    "warning_deviations",
    8,
    in: 1...1e6,
    "distance from the median / median distance of all ranks, which is taken for 5 % at least"
  )
  private static let ratio = Threshold(
    "warning_ratio",
    3,
    in: 1...1e6,
    "norm / median norm, or its inverse; uneven last batches stay below"
  )
  private static let drift = Threshold(
    "critical_drift",
    0.001,
    in: 0...1,
    "relative distance from ranks that agree to 1e-6, as they do after the all-reduce"
  )
  private static let leastRanks = 3
  private static let agreement = 1e-6
  private static let leastDeviation = 0.05
  /// Weights may be equal once, when they are first drawn, and go their own ways on purpose.
  private static let leastEqual = 2
  /// Steps that wait for their last rank; older ones are given up.
  private static let maximumWaiting = 64
  /// Three of five for a warning; what is not finite on one rank alone is certain at once.
  private static let policy = AlertPolicy(
    info: .init(hits: 3, window: 5),
    warning: .init(hits: 3, window: 5),
    critical: .init(hits: 2, window: 5),
    cleanEvaluations: 20
  )

  /// What one rank told of a step.
  private struct Sample {
    var rank: UInt32
    var norm: Double
    /// The norm of all parameters; `nil` if they were not measured.
    var size: Double?
    var isSkipped: Bool
  }

  private let run: RunID
  private var tuning: Tuning
  private var machines: [ProducerID: AlertMachine] = [:]
  /// Who speaks for each rank.
  private var producers: [UInt32: ProducerID] = [:]
  /// How many ranks there are, as one of them said last; `nil` if none did.
  private var worldSize: UInt32?
  private var waiting: [UInt64: [ProducerID: Sample]] = [:]
  /// Measured steps at which all ranks had equal weights; more than ``leastEqual`` are not counted.
  private var equalSteps = 0
  /// The ranks whose weights were other ones when last measured.
  private var parted: Set<ProducerID> = []
  /// The highest step that was told of.
  private var lastStep: UInt64 = 0

  /// Makes a comparison without any history.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - rules: What the user changed.
  public init(run: RunID, rules: RuleSet = RuleSet()) {
    self.run = run
    tuning = Self.tuning(rules)
  }

  /// Takes other settings from the next step on.
  ///
  /// - Parameters:
  ///   - rules: What the user changed, all of it.
  ///   - time: When.
  /// - Returns: The open alerts, resolved, if the rule is switched off.
  public mutating func apply(_ rules: RuleSet, at time: WallTime) -> [AlertTransition] {
    tuning = Self.tuning(rules)
    return tuning.isEnabled ? [] : resolveAll(at: time)
  }

  private mutating func resolveAll(at time: WallTime) -> [AlertTransition] {
    waiting = [:]
    let moment = Moment(step: lastStep, time: time)
    var transitions: [AlertTransition] = []
    for producer in machines.keys.sorted() {
      machine(of: producer) { $0.resolveAll(at: moment, into: &transitions) }
    }
    return transitions
  }

  private static func tuning(_ rules: RuleSet) -> Tuning {
    Tuning(rules[rule], layers: [], tensors: [])
  }

  /// Takes an accepted report of one rank.
  ///
  /// - Parameters:
  ///   - report: The report.
  ///   - producer: Whose it is; without a rank it is not compared.
  ///   - time: When the collector received it.
  /// - Returns: What changed, of any rank's alerts.
  public mutating func observe(
    _ report: StepReport,
    from producer: Producer,
    receivedAt time: WallTime
  ) -> [AlertTransition] {
    guard let rank = producer.rank else { return [] }
    let step = report.step
    lastStep = max(lastStep, step)
    // Those of before the rule was switched off may have come from the store since.
    guard tuning.isEnabled else { return resolveAll(at: time) }
    var transitions: [AlertTransition] = []
    if let size = producer.worldSize, size != worldSize {
      resize(to: size, at: Moment(step: step, time: time), into: &transitions)
    }
    producers[rank] = producer.id
    waiting[step, default: [:]][producer.id] = Sample(
      rank: rank,
      norm: Self.norm(of: report),
      size: Self.size(of: report),
      isSkipped: report.scalars.optimizerSkipped
    )
    let expected = worldSize.map(Int.init) ?? producers.count
    if let samples = waiting[step], samples.count >= expected {
      waiting[step] = nil
      if samples.count >= Self.leastRanks {
        judge(samples, at: Moment(step: step, time: time), into: &transitions)
      }
    }
    while waiting.count > Self.maximumWaiting, let oldest = waiting.keys.min() {
      waiting[oldest] = nil
    }
    return transitions
  }

  /// Replaces the alerts by the store's, after a restart.
  public mutating func adopt(_ stored: [Alert]) {
    let own = stored.filter { $0.rule == Self.rule && $0.run == run }
    lastStep = own.reduce(lastStep) { max($0, $1.evidence.lastStep) }
    for producer in Set(own.map(\.producer)) {
      machine(of: producer) { $0.adopt(stored, isReplayed: false) }
    }
  }

  /// Notes that a person knows of an alert; `nil` if it is none of these, or not firing.
  public mutating func acknowledge(
    _ id: AlertID,
    by person: String,
    step: UInt64,
    at time: WallTime
  ) -> AlertTransition? {
    for producer in machines.keys.sorted() {
      if let change = machines[producer]?.acknowledge(
        id,
        by: person,
        at: Moment(step: step, time: time)
      ) {
        return change
      }
    }
    return nil
  }

  /// The gradient's norm as the rank sent it; NaN or infinite if an element is.
  private static func norm(of report: StepReport) -> Double {
    if let loss = report.scalars.primaryLoss, !loss.isFinite { return loss }
    if let norm = report.scalars.globalNorm { return norm }
    return report.gradients.norm.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  /// The norm of all parameters; `nil` if they were not measured, or are not finite.
  private static func size(of report: StepReport) -> Double? {
    let sum = report.parameters.norm.reduce(0) { $0 + Double($1) * Double($1) }
    return sum > 0 && sum.isFinite ? sum.squareRoot() : nil
  }

  /// Holds the weights of the ranks against each other, where all of them were measured.
  ///
  /// - Returns: The ranks whose weights differ, and by how much of the median.
  private mutating func part(_ samples: [ProducerID: Sample]) -> [ProducerID: Double] {
    let sizes = samples.compactMapValues(\.size)
    guard sizes.count == samples.count else { return [:] }
    let median = sizes.values.sorted()[sizes.count / 2]
    let distances = sizes.mapValues { abs($0 - median) / median }
    if distances.values.allSatisfy({ $0 <= Self.agreement }) {
      equalSteps = min(equalSteps + 1, Self.leastEqual)
    }
    let apart = distances.filter { $0.value > tuning[Self.drift] }
    parted = Set(apart.keys)
    return equalSteps >= Self.leastEqual ? apart : [:]
  }

  /// Forgets the ranks that are no more, and what was told of steps by as many as there were.
  private mutating func resize(
    to size: UInt32,
    at moment: Moment,
    into transitions: inout [AlertTransition]
  ) {
    worldSize = size
    waiting = [:]
    (equalSteps, parted) = (0, [])
    for (rank, producer) in producers.sorted(by: { $0.key < $1.key }) where rank >= size {
      producers[rank] = nil
      machine(of: producer) { $0.resolveAll(at: moment, into: &transitions) }
    }
  }

  private mutating func judge(
    _ samples: [ProducerID: Sample],
    at moment: Moment,
    into transitions: inout [AlertTransition]
  ) {
    // A scaler that skips the step has found the same, and undone it.
    guard !samples.values.contains(where: \.isSkipped) else { return }
    let finite = samples.values.map(\.norm).filter(\.isFinite).sorted()
    guard !finite.isEmpty else { return }
    let median = finite[finite.count / 2]
    let distances = finite.map { abs($0 - median) }.sorted()
    let spread = max(distances[distances.count / 2], Self.leastDeviation * median)
    let agreeing = finite.count { abs($0 - median) <= Self.agreement * median }
    let isReduced = 3 * agreeing >= 2 * finite.count
    let apart = part(samples)
    let bound = tuning[Self.drift]
    for (producer, sample) in samples.sorted(by: { $0.key < $1.key }) {
      let distance = abs(sample.norm - median)
      var met: Severity?
      if !sample.norm.isFinite {
        met = .critical
      } else if isReduced {
        met = distance > bound * median ? .critical : nil
      } else if distance > tuning[Self.deviations] * spread,
        sample.norm > tuning[Self.ratio] * median || median > tuning[Self.ratio] * sample.norm
      {
        met = .warning
      }
      let drift = apart[producer]
      if drift != nil { met = .critical }
      var findings: [Finding] = []
      if met != nil || parted.contains(producer) {
        let finding = Finding(
          scope: .run,
          met: met,
          held: parted.contains(producer) ? .critical : met ?? .info,
          isCertain: !sample.norm.isFinite || drift != nil
        )
        findings = tuning.apply(to: finding).map { [$0] } ?? []
      }
      machine(of: producer) { machine in
        machine.evaluate(findings, at: moment, into: &transitions) { finding, first in
          if let drift, sample.norm.isFinite {
            return Self.diagnosis(
              rank: sample.rank,
              of: samples.count,
              drift: drift,
              bound: bound,
              since: first,
              at: moment.step
            )
          }
          return Self.diagnosis(
            rank: sample.rank,
            of: samples.count,
            sample.norm,
            median: median,
            isReduced: isReduced,
            since: first,
            at: moment.step
          )
        }
      }
    }
  }

  private mutating func machine(of producer: ProducerID, _ body: (inout AlertMachine) -> Void) {
    var machine =
      machines.removeValue(forKey: producer)
      ?? AlertMachine(
        AlertMachine.Identity(run: run, producer: producer, rule: Self.rule),
        policy: Self.policy
      )
    body(&machine)
    machines[producer] = machine
  }

  private static func diagnosis(
    rank: UInt32,
    of count: Int,
    drift: Double,
    bound: Double,
    since first: UInt64,
    at step: UInt64
  ) -> Diagnosis {
    Diagnosis(
      summary:
        "the weights of rank \(rank) of \(count) have a norm that is \(text(100 * drift)) % away "
        + "from the ranks' median, since step \(first); they were equal before",
      cause:
        "ranks have parted: one's weights were changed, or gradients are not averaged any more",
      confidence: 0.95,
      evidence: Evidence(
        quantity: "distance of the norm of all weights from the ranks' median, as its share",
        observed: drift,
        baseline: 0,
        threshold: bound,
        firstStep: step,
        lastStep: step,
        facts: ["rank": "\(rank)", "ranks": "\(count)"]
      ),
      remedies: [
        Remedy(
          action: "restart all ranks from one checkpoint of before step \(first)",
          reason: "averaged gradients of different weights train none of them"
        ),
        Remedy(
          action: "call the wrapped model, not the module inside, in every forward pass",
          reason: "only the wrapper starts the all-reduce; a step without it is each rank's own"
        ),
        Remedy(
          action:
            "look for code that changes weights on some ranks only: loading, resets, random draws",
          reason: "nothing makes weights equal again once they are not"
        ),
      ]
    )
  }

  private static func diagnosis(
    rank: UInt32,
    of count: Int,
    _ norm: Double,
    median: Double,
    isReduced: Bool,
    since first: UInt64,
    at step: UInt64
  ) -> Diagnosis {
    let isBroken = !norm.isFinite
    return Diagnosis(
      summary:
        "rank \(rank) of \(count) has a gradient norm of \(text(norm)) where the others have "
        + "\(text(median)), since step \(first)",
      cause: isBroken
        ? "the value arose on this rank alone: its batch, its memory or its kernels"
        : isReduced
          ? "the ranks' gradients differ after the all-reduce: they have lost synchronization"
          : "this rank's data or its arithmetic differs from the others'",
      confidence: isBroken ? 1 : 0.85,
      evidence: Evidence(
        quantity: "gradient norm of the rank",
        observed: norm,
        baseline: median,
        threshold: isBroken ? nil : median * Self.ratio.standard,
        firstStep: step,
        lastStep: step,
        facts: ["rank": "\(rank)", "ranks": "\(count)"]
      ),
      remedies: [
        Remedy(
          action: "look at rank \(rank)'s batch of step \(first): sample ids, labels, lengths",
          reason: "one shard with bad data gives one rank with bad gradients"
        ),
        Remedy(
          action: "run the step again on another device, and test this one's memory",
          reason: "if the value differs there, the device computes wrongly without an error"
        ),
        Remedy(
          action:
            "check that all ranks have the same weights, and restart from a checkpoint if not",
          reason: "ranks that have parted average gradients of different models"
        ),
      ]
    )
  }
}
