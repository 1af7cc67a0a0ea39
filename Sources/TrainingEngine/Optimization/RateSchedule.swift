/// How the learning rate changes during a run: a factor of the update rule's own.
public indirect enum RateSchedule: Hashable, Sendable {
  /// The rule's own rate throughout.
  case constant
  /// From 1/steps up to 1 in so many steps, evenly; then what follows, which begins there.
  ///
  /// Goyal et al., "Accurate, Large Minibatch SGD", 2017.
  case warmUp(steps: Int, then: RateSchedule = .constant)
  /// From 1 down to `floor` along half a cosine, and again from the start after each period.
  ///
  /// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.
  case cosine(period: Int, floor: Double = 0)
  /// Times `factor` after every so many steps.
  case steps(every: Int, factor: Double)

  /// Returns what the rate is multiplied by at a step, from 0.
  public func factor(at step: Int) -> Double {
    switch self {
    case .constant: 1
    case .warmUp(let steps, let next):
      step < steps ? Double(step + 1) / Double(steps) : next.factor(at: step - steps)
    case .cosine(let period, let floor):
      floor + (1 - floor) * (1 + Double.cosine(.pi * Double(step % period) / Double(period))) / 2
    case .steps(let every, let factor): Double.power(factor, Double(step / every))
    }
  }

  /// Returns the part of the schedule that a step is in.
  public func phase(at step: Int) -> RatePhase {
    switch self {
    case .constant: .main
    case .warmUp(let steps, let next): step < steps ? .warmUp : next.phase(at: step - steps)
    case .cosine, .steps: step == 0 ? .main : .decay
    }
  }

  /// Throws ``TrainingError`` if a number of steps is not one.
  package func check() throws(TrainingError) {
    switch self {
    case .constant: break
    case .warmUp(let steps, let next):
      guard steps > 0 else {
        throw .setting("warm-up", expected: "at least 1 step", found: "\(steps)")
      }
      try next.check()
    case .cosine(let steps, _), .steps(let steps, _):
      guard steps > 0 else {
        throw .setting("schedule", expected: "a period of at least 1 step", found: "\(steps)")
      }
    }
  }

  /// The name for people and collectors.
  public var name: String {
    switch self {
    case .constant: "constant"
    case .warmUp(let steps, let next): "warm_up(\(steps)), \(next.name)"
    case .cosine(let period, let floor): "cosine(period: \(period), floor: \(floor))"
    case .steps(let every, let factor): "steps(every: \(every), factor: \(factor))"
    }
  }
}
