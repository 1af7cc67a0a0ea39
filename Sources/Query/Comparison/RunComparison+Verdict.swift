import Telemetry

extension RunComparison {
  /// The verdict in one or two sentences.
  ///
  /// - Parameters:
  ///   - metric: What was compared.
  ///   - beginsAlike: Whether the runs are alike at the first common step.
  /// - Returns: The sentences, the last without a full stop.
  func verdict(metric: Metric, beginsAlike: Bool) -> String {
    let steps = commonStepCount == 1 ? "1 common step" : "\(commonStepCount) common steps"
    guard firstDifferenceStep != nil else { return "Identical bit for bit in \(steps)" + ends }
    return course(metric, steps) + ". " + start(beginsAlike) + ends
  }

  private func start(_ beginsAlike: Bool) -> String {
    if let identicalUntilStep { return "Identical bit for bit up to step \(identicalUntilStep)" }
    return beginsAlike
      ? "Nearly the same at first, step \(firstCommonStep)"
      : "Different from the first common step, \(firstCommonStep), on"
  }

  /// Which run goes on alone.
  private var ends: String {
    guard let lastA = a.lastStep, let lastB = b.lastStep, lastA != lastB else { return "" }
    return lastA < lastB
      ? ", a ends at step \(lastA), b goes on to \(lastB)"
      : ", b ends at step \(lastB), a goes on to \(lastA)"
  }

  private func course(_ metric: Metric, _ steps: String) -> String {
    guard let first = firstParting else {
      let loss = losses.first { $0.parting != nil }
      let also = loss.flatMap { loss in
        loss.parting.map { ", but \(loss.name) does at step \($0.step)" }
      }
      return "No layer parts in \(steps)" + (also ?? "")
    }
    let parting = first.parting
    var text = "They part at step \(parting.step) in \(first.name): "
    switch parting.kind {
    case .ratio: text += Self.factor(parting, metric.words)
    case .nonFinite:
      let isA = parting.a?.isFinite == false
      text += "its \(metric.words) is \(Self.name(isA ? parting.a : parting.b)) in "
      text += isA ? "a and finite in b" : "b and finite in a"
    case .presence:
      text += "its \(metric.words) is measured "
      switch (parting.a, parting.b) {
      case (_?, nil): text += "in a only"
      case (nil, _?): text += "in b only"
      default: text += "of other tensors in a than in b"
      }
    }
    if partedLayerCount > 1 { text += "; \(partedLayerCount) of \(layerCount) layers part" }
    return text
  }

  /// How far apart two values are, as a factor.
  private static func factor(_ parting: Parting, _ words: String) -> String {
    guard let a = parting.a, let b = parting.b else { return "its \(words) differs" }
    guard a != 0, b != 0 else { return "its \(words) is 0 in \(a == 0 ? "a" : "b") only" }
    guard (a < 0) == (b < 0) else { return "its \(words) has another sign in a than in b" }
    let isA = a.magnitude > b.magnitude
    let factor = isA ? a / b : b / a
    let text =
      factor < 10 ? "\((factor * 10).rounded() / 10)" : factor < 1000 ? "\(Int(factor))" : nil
    return "its \(words) is \(text ?? "more than 1,000") times as large in "
      + (isA ? "a as in b" : "b as in a")
  }

  private static func name(_ value: Double?) -> String {
    guard let value, !value.isNaN else { return "NaN" }
    return value > 0 ? "infinite" : "-infinite"
  }
}
