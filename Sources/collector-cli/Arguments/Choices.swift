import ArgumentParser
import TelemetryWire

/// A column of the reports, by the name that people type.
enum MetricChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  case norm, mean
  case meanAbs = "mean-abs"
  case std, min, max
  case zeroCount = "zero-count"
  case nanCount = "nan-count"
  case positiveInfinityCount = "positive-infinity-count"
  case negativeInfinityCount = "negative-infinity-count"
  case parameterNorm = "parameter-norm"
  case updateNorm = "update-norm"
  case activationMean = "activation-mean"
  case activationStd = "activation-std"
  case activationZeroFraction = "activation-zero-fraction"
  case activationSaturatedFraction = "activation-saturated-fraction"
  case activationDeadUnitFraction = "activation-dead-unit-fraction"

  /// The wire's form.
  var metric: Gradwatch_V1_Metric {
    switch self {
    case .norm: .gradientNorm
    case .mean: .gradientMean
    case .meanAbs: .gradientMeanAbs
    case .std: .gradientStd
    case .min: .gradientMin
    case .max: .gradientMax
    case .zeroCount: .gradientZeroCount
    case .nanCount: .gradientNanCount
    case .positiveInfinityCount: .gradientPositiveInfinityCount
    case .negativeInfinityCount: .gradientNegativeInfinityCount
    case .parameterNorm: .parameterNorm
    case .updateNorm: .updateNorm
    case .activationMean: .activationMean
    case .activationStd: .activationStd
    case .activationZeroFraction: .activationZeroFraction
    case .activationSaturatedFraction: .activationSaturatedFraction
    case .activationDeadUnitFraction: .activationDeadUnitFraction
    }
  }

  /// What is measured, in words.
  var words: String {
    let words = rawValue.split(separator: "-").joined(separator: " ")
    return metric.rawValue < Gradwatch_V1_Metric.parameterNorm.rawValue
      ? "gradient \(words)" : words
  }
}

/// A value of the step as a whole, by the name that people type.
enum StepMetricChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  case loss
  case learningRate = "learning-rate"
  case globalNorm = "global-norm"
  case lossScale = "loss-scale"

  /// The wire's form.
  var metric: Gradwatch_V1_StepMetric {
    switch self {
    case .loss: .loss
    case .learningRate: .learningRate
    case .globalNorm: .globalNorm
    case .lossScale: .lossScale
    }
  }

  /// What is measured, in words.
  var words: String { rawValue.split(separator: "-").joined(separator: " ") }
}

/// What a tensor does in its layer.
enum RoleChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  case weight, bias, norm, embedding, recurrent, head

  /// The wire's form.
  var role: Gradwatch_V1_TensorRole {
    switch self {
    case .weight: .weight
    case .bias: .bias
    case .norm: .norm
    case .embedding: .embedding
    case .recurrent: .recurrent
    case .head: .head
    }
  }
}

/// The least severity that is wanted; `warning` and `warning+` mean the same.
enum SeverityChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  case info, warning, critical

  init?(argument: String) {
    self.init(rawValue: argument.hasSuffix("+") ? String(argument.dropLast()) : argument)
  }

  /// The wire's form.
  var severity: Gradwatch_V1_Severity {
    switch self {
    case .info: .info
    case .warning: .warning
    case .critical: .critical
    }
  }
}

/// Where an alert is in its life.
enum StateChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  case pending, firing, acknowledged, resolved

  /// The wire's form.
  var state: Gradwatch_V1_AlertState {
    switch self {
    case .pending: .pending
    case .firing: .firing
    case .acknowledged: .acknowledged
    case .resolved: .resolved
    }
  }
}

/// Where a run is in its life.
enum StatusChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  case running, finished, failed, aborted

  /// The wire's form.
  var status: Gradwatch_V1_RunStatus {
    switch self {
    case .running: .running
    case .finished: .finished
    case .failed: .failed
    case .aborted: .aborted
    }
  }
}

/// What a cell of a heatmap shows, by the name that people type.
enum HeatmapStatisticChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  case max, min, mean, last

  /// The wire's form.
  var statistic: Gradwatch_V1_HeatmapStatistic {
    switch self {
    case .max: .max
    case .min: .min
    case .mean: .mean
    case .last: .last
    }
  }

  /// What it is, in words.
  var words: String {
    switch self {
    case .max: "largest"
    case .min: "smallest"
    case .mean: "mean"
    case .last: "last"
    }
  }
}
