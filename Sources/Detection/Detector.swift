public import Telemetry

/// Watches one producer's reports with every rule; a pure value without clock or I/O.
///
/// The same reports give the same transitions, live, in a replay, and after ``snapshot()`` at any
/// point and a replay of what followed. The state is O(tensors), a report costs O(1) a tensor.
public struct Detector: Sendable {
  /// A rule beside its alerts.
  struct Slot: Sendable {
    var rule: any Rule
    var machine: AlertMachine
    var tuning: Tuning

    /// Lets the rule look, and its alerts follow.
    mutating func observe(_ step: StepContext, into transitions: inout [AlertTransition]) {
      guard tuning.isEnabled else { return }
      if step.isBreak { rule.arm() }
      take(rule.observe(step), of: step, at: step.time, into: &transitions)
    }

    /// Takes what the rule answered; `nil` changes nothing.
    mutating func take(
      _ findings: [Finding]?,
      of step: StepContext,
      at time: WallTime,
      into transitions: inout [AlertTransition]
    ) {
      guard tuning.isEnabled, var findings else { return }
      if !findings.isEmpty {
        findings = findings.compactMap { tuning.apply(to: $0) }
      }
      let moment = Moment(step: step.number, time: time)
      machine.evaluate(findings, at: moment, after: step.history.moments, into: &transitions) {
        [rule] finding, first in
        let diagnosis = rule.diagnose(finding, since: first, at: step)
        guard let rise = step.history.rateRise, rise.explains(type(of: rule).id, since: first)
        else { return diagnosis }
        return diagnosis.following(rise, since: first)
      }
    }
  }

  /// Whose reports these are.
  let run: RunID
  let producer: ProducerID
  /// The rules, in the order of ``standardRules``.
  var slots: [Slot]
  /// The last report and the history up to it.
  var context: StepContext
  /// What the user changed about the rules.
  public internal(set) var rules: RuleSet

  /// Makes a detector without any history.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - producer: The producer.
  ///   - model: The model that the run is registered with.
  ///   - rules: What the user changed, as ``check(_:)`` accepts it; other names change nothing.
  public init(run: RunID, producer: ProducerID, model: Model, rules: RuleSet = RuleSet()) {
    self.run = run
    self.producer = producer
    self.rules = rules
    let context = StepContext(model)
    self.context = context
    slots = Self.standardRules.map { kind in
      let tuning = Tuning(rules[kind.id], layers: model.layers, tensors: model.tensors)
      return Slot(
        rule: kind.init(context.anatomy, tuning),
        machine: AlertMachine(
          AlertMachine.Identity(run: run, producer: producer, rule: kind.id),
          policy: kind.policy
        ),
        tuning: tuning
      )
    }
  }

  /// The model whose reports this detector takes.
  public var model: Model { context.anatomy.model }

  /// The alerts that are pending, firing or acknowledged, the oldest first.
  public var openAlerts: [Alert] {
    slots.flatMap(\.machine.openAlerts).sorted {
      ($0.firstStep, $0.rule, $0.id) < ($1.firstStep, $1.rule, $1.id)
    }
  }

  /// Takes an accepted report, in sequence order.
  ///
  /// - Parameters:
  ///   - report: A report that was held against this detector's model; one that was not loses its
  ///     odd columns here, and harms nothing.
  ///   - time: When the collector received it.
  /// - Returns: What changed, rule by rule.
  public mutating func observe(
    _ report: StepReport,
    receivedAt time: WallTime
  )
    -> [AlertTransition]
  {
    var transitions: [AlertTransition] = []
    context.begin(report, receivedAt: time, symptoms: symptoms)
    for index in slots.indices { slots[index].observe(context, into: &transitions) }
    context.end()
    return transitions
  }

  /// The rules that have a warning or worse firing.
  private var symptoms: Symptoms {
    var symptoms = Symptoms()
    for index in slots.indices where slots[index].machine.hasWarning {
      symptoms.insert(type(of: slots[index].rule).id)
    }
    return symptoms
  }

  /// Notes that the producer went back, as after a checkpoint restart: called before the report of
  /// `step` is observed.
  ///
  /// - Parameters:
  ///   - step: The step that comes next.
  ///   - time: When the collector received its report.
  /// - Returns: The open alerts that began at or after `step`, resolved; baselines start anew.
  public mutating func rewind(to step: UInt64, at time: WallTime) -> [AlertTransition] {
    var transitions: [AlertTransition] = []
    context.history.arm()
    context.history.rewind(to: step)
    for index in slots.indices {
      slots[index].rule.arm()
      slots[index].machine.rewind(at: Moment(step: step, time: time), into: &transitions)
    }
    return transitions
  }

  /// Looks at the clock, about once a second, for rules that watch for silence.
  ///
  /// It is not replayed: ``adopt(_:)`` brings back what it did.
  ///
  /// - Parameter now: The collector's clock.
  /// - Returns: What changed.
  public mutating func tick(at now: WallTime) -> [AlertTransition] {
    var transitions: [AlertTransition] = []
    for index in slots.indices {
      let findings = slots[index].rule.tick(at: now, after: context)
      slots[index].take(findings, of: context, at: now, into: &transitions)
    }
    return transitions
  }

  /// Notes that the run ended, so that silence is no fault any more.
  ///
  /// - Parameter time: When it ended.
  /// - Returns: `stalled_run`, resolved, if it was open. The other alerts stay open: they are the
  ///   diagnosis.
  public mutating func finish(at time: WallTime) -> [AlertTransition] {
    var transitions: [AlertTransition] = []
    for index in slots.indices {
      slots[index].take(slots[index].rule.finish(), of: context, at: time, into: &transitions)
    }
    return transitions
  }

  /// Notes that a person knows of an alert.
  ///
  /// - Parameters:
  ///   - id: The alert.
  ///   - person: Who.
  ///   - time: When.
  /// - Returns: The change; `nil` if this detector has no such alert, or it is not firing.
  public mutating func acknowledge(
    _ id: AlertID,
    by person: String,
    at time: WallTime
  )
    -> AlertTransition?
  {
    let moment = Moment(step: context.number, time: time)
    for index in slots.indices {
      if let change = slots[index].machine.acknowledge(id, by: person, at: moment) {
        return change
      }
    }
    return nil
  }

  /// Replaces this detector's alerts by the store's, after a restart.
  ///
  /// Acknowledgements and ticks are not replayed, so only the store knows of them.
  ///
  /// - Parameters:
  ///   - stored: This producer's open alerts and its recently resolved ones; those of others and of
  ///     unknown rules are ignored.
  ///   - isReplayed: Whether this detector was told all reports, by itself or before its snapshot. Then
  ///     a resolved alert that it does not have is one that it has forgotten, and stays so.
  public mutating func adopt(_ stored: [Alert], isReplayed: Bool = false) {
    for index in slots.indices {
      // Ticks are not replayed.
      let isReplayed = isReplayed && !(slots[index].rule is StalledRun)
      slots[index].machine.adopt(stored, isReplayed: isReplayed)
    }
  }
}
