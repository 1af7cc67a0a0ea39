import ArgumentParser
import Telemetry
import TerminalOutput
import TrainingEngine

/// What a training loop does when an alert tells of growth that ends in NaN.
enum Reaction: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// Nothing.
  case none
  /// The run ends.
  case stop
  /// The learning rate falls to a tenth, at most once a step.
  ///
  /// "Reduce the LR by a factor of 5-10 until the gradient norm stays below 10" (Top 8 Strategies, BestLifePulse).
  case lowerRate = "lower-rate"
  /// The global norm is clipped to 1, where most dense networks and transformers begin.
  case clip

  /// The rules whose alerts are acted on: those that tell of growth.
  ///
  /// A gradient that is too small is not mended by any of the reactions.
  private static let rules: Set<String> = [
    "exploding_gradient", "gradient_spike", "loss_divergence", "loss_spike", "non_finite_gradient",
    "non_finite_loss",
    "poor_initialization", "rnn_exploding_through_time", "update_ratio_too_high", "weight_jump",
  ]

  /// Acts on the first of the alerts that is new.
  ///
  /// - Parameters:
  ///   - alerts: The open alerts of the run.
  ///   - heard: The worst severity of those that were acted on; updated.
  ///   - trainer: The loop; changed from the next step on.
  /// - Returns: What was done, to be reported with the next step; `nil` if nothing was.
  func act(
    on alerts: [Alert],
    heard: inout [AlertID: Severity],
    trainer: inout Trainer
  ) -> StepAnnotation? {
    guard self != .none else { return nil }
    let new = alerts.filter { alert in
      alert.firedStep != nil && alert.severity >= .warning
        && Self.rules.contains(alert.rule.rawValue)
        && heard[alert.id].map { $0 < alert.severity } ?? true
    }
    for alert in new { heard[alert.id] = alert.severity }
    guard let alert = new.max(by: { $0.severity < $1.severity }) else { return nil }
    switch self {
    case .none: return nil
    case .stop:
      return StepAnnotation(action: "stop", detail: "\(alert.rule): the run ends", alert: alert.id)
    case .lowerRate:
      let before = trainer.experiment.updateRule.learningRate * trainer.rateFactor
      trainer.rateFactor /= 10
      return StepAnnotation(
        action: "lower_rate",
        detail:
          "\(alert.rule): learning rate \(NumberText.short(before)) to \(NumberText.short(before / 10))",
        alert: alert.id
      )
    case .clip:
      guard trainer.clipping != .norm(1) else { return nil }
      trainer.clipping = .norm(1)
      return StepAnnotation(
        action: "clip",
        detail: "\(alert.rule): the global norm is clipped to 1",
        alert: alert.id
      )
    }
  }
}
