import Query
import RunStore
import Telemetry

/// What a comparison of two runs must say, worked out step by step in the plainest way, as text.
struct StepwiseComparison {
  private(set) var lines: [String] = []

  private struct Layer {
    var name: String
    var tensors: [(index: UInt32, name: String)]
    var detector: PartingDetector
    var points: [Downsampler]
  }

  private struct Loss {
    var name: String
    var courses: [LossCourse?] = [nil, nil]
    var detector: PartingDetector
  }

  /// Compares the gradient norms of two runs of the same model.
  init(_ a: [StepReport], _ b: [StepReport], _ model: Model) {
    let detector = PartingDetector(bound: ComparisonOptions.standardBound, persistence: 3)
    let reports = [a, b].map { Dictionary(uniqueKeysWithValues: $0.map { ($0.step, $0) }) }
    let steps = Set(reports.flatMap(\.keys)).sorted()
    let points = Downsampler(
      steps: steps[0]...steps[steps.count - 1],
      maximumPoints: ComparisonOptions.standardPoints
    )
    var layers = model.layers.enumerated().map { place, layer in
      Layer(
        name: layer.name,
        tensors: model.tensors.enumerated().filter { $0.1.layer == place }.map {
          (UInt32($0.0), $0.1.name)
        },
        detector: detector,
        points: [points, points]
      )
    }
    var losses: [Loss] = []
    var common: [UInt64] = []
    var (identicalUntil, difference) = (nil as UInt64?, nil as (UInt64, [String])?)
    var settings: [String] = []
    var beginsAlike: Bool?
    for step in steps {
      let at = reports.map { $0[step] }
      for (side, report) in at.enumerated() {
        for loss in report?.scalars.losses ?? [] {
          if !losses.contains(where: { $0.name == loss.name }) {
            var fresh = detector
            if beginsAlike == false { fresh.beginApart() }
            losses.append(Loss(name: loss.name, detector: fresh))
          }
          guard let place = losses.firstIndex(where: { $0.name == loss.name }) else { continue }
          losses[place].courses[side]?.add(step: step, loss: loss.value)
          losses[place].courses[side] =
            losses[place].courses[side] ?? LossCourse(step: step, loss: loss.value)
        }
      }
      let tensors = layers.map { layer in
        at.map { report in
          layer.tensors.map { tensor in report.flatMap { Self.norm(of: $0, in: tensor.index) } }
        }
      }
      let values = tensors.map { $0.map(Self.value) }
      for (place, sides) in values.enumerated() {
        for (side, value) in sides.enumerated() {
          if let value { layers[place].points[side].add(step: step, value: value) }
        }
      }
      guard let atA = at[0]?.scalars, let atB = at[1]?.scalars else { continue }
      common.append(step)
      func loss(_ name: String, _ scalars: StepScalars) -> Double? {
        scalars.losses.first { $0.name == name }?.value
      }
      if difference == nil {
        var names = Set((atA.losses + atB.losses).map(\.name)).sorted().filter {
          loss($0, atA)?.bitPattern != loss($0, atB)?.bitPattern
        }
        for (layer, sides) in zip(layers, tensors) {
          for (tensor, pair) in zip(layer.tensors, zip(sides[0], sides[1]))
          where pair.0?.bitPattern != pair.1?.bitPattern { names.append(tensor.name) }
        }
        if names.isEmpty { identicalUntil = step } else { difference = (step, names) }
      }
      for (name, left, right) in [
        ("learning_rate", atA.learningRate, atB.learningRate),
        ("batch_size", atA.batchSize.map(Double.init), atB.batchSize.map(Double.init)),
      ] where left != right && !settings.contains(where: { $0.hasPrefix(name) }) {
        settings.append("\(name) at \(step): \(left as Any) \(right as Any)")
      }
      if beginsAlike == nil {
        var pairs = values.map { ($0[0], $0[1]) }
        pairs += atA.losses.map { ($0.value, loss($0.name, atB)) }
        let isAlike = pairs.allSatisfy { a, b in
          guard let a, let b, a.isFinite, b.isFinite else { return true }
          // Small enough that nothing is to choose between a ratio and its logarithm.
          return a == b || (a > 0) == (b > 0) && abs(a / b - 1) < 0.0099
        }
        beginsAlike = isAlike
        if !isAlike {
          for place in layers.indices { layers[place].detector.beginApart() }
          for place in losses.indices { losses[place].detector.beginApart() }
        }
      }
      for entry in atA.losses {
        guard let place = losses.firstIndex(where: { $0.name == entry.name }) else { continue }
        guard let other = loss(entry.name, atB) else { continue }
        losses[place].detector.add(step: step, a: entry.value, b: other)
      }
      guard !atA.optimizerSkipped, !atB.optimizerSkipped, values.contains(where: { $0[0] != nil }),
        values.contains(where: { $0[1] != nil })
      else { continue }
      for place in layers.indices {
        let (a, b) = (tensors[place][0], tensors[place][1])
        layers[place].detector.add(
          step: step,
          a: values[place][0],
          b: values[place][1],
          presenceDiffers: zip(a, b).contains { ($0 == nil) != ($1 == nil) }
        )
      }
    }
    lines.append("common \(common.count) \(common.first as Any) \(common.last as Any)")
    lines.append("identical until \(identicalUntil as Any), then \(difference as Any)")
    lines += settings
    for loss in losses {
      var detector = loss.detector
      detector.finish()
      lines.append("\(loss.name) \(loss.courses) \(detector.parting as Any)")
    }
    for layer in layers {
      var detector = layer.detector
      detector.finish()
      lines.append("\(layer.name) \(detector.parting as Any)")
      lines += layer.points.map { "\($0.finish())" }
    }
  }

  /// The same of a comparer's answer.
  init(_ comparison: RunComparison, _ layers: [LayerComparison]) {
    let isCommon = comparison.commonStepCount > 0
    let first = isCommon ? comparison.firstCommonStep : nil as UInt64?
    let last = isCommon ? comparison.lastCommonStep : nil as UInt64?
    let difference = comparison.firstDifferenceStep.map { ($0, comparison.firstDifferences) }
    lines.append("common \(comparison.commonStepCount) \(first as Any) \(last as Any)")
    lines.append(
      "identical until \(comparison.identicalUntilStep as Any), then \(difference as Any)"
    )
    lines += comparison.stepSettings.map {
      "\($0.name) at \($0.firstStep): \($0.a as Any) \($0.b as Any)"
    }
    for loss in comparison.losses {
      lines.append("\(loss.name) \([loss.a, loss.b]) \(loss.parting as Any)")
    }
    for layer in layers {
      lines.append("\(layer.name) \(layer.parting as Any)")
      lines += [layer.pointsA, layer.pointsB].map { "\($0)" }
    }
  }

  private static func norm(of report: StepReport, in index: UInt32) -> Double? {
    let ids = report.gradients.tensorIDs
    let place = ids.isEmpty ? Int(index) : ids.firstIndex(of: index)
    guard let place, place < report.gradients.norm.count else { return nil }
    return Double(report.gradients.norm[place])
  }

  private static func value(_ tensors: [Double?]) -> Double? {
    let measured = tensors.compactMap(\.self)
    guard measured.count > 1 else { return measured.first }
    return measured.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }
}
