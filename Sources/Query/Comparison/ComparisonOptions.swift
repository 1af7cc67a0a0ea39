public import Telemetry

/// What of two runs is compared, and how closely.
public struct ComparisonOptions: Sendable {
  /// What is compared.
  public var metric = Metric.gradientNorm
  /// Which layers and tensors of run a.
  public var selector = TensorSelector()
  /// Which steps, both ends included.
  public var steps: ClosedRange<UInt64> = 0...Step.maximum
  /// How far ln(a / b) may go before runs that begin alike part; above 0.
  public var bound = standardBound
  /// How many common steps in a row it must be further, at least 1.
  public var persistence = standardPersistence
  /// The most points a layer and run, at least 1.
  public var maximumPoints = standardPoints
  /// The most layers, at least 1.
  public var maximumLayers = mostLayers

  /// ln 2: a factor of two.
  public static let standardBound = 0.693_147_180_559_945_3
  /// Three steps: one batch may be odd, and the next one too.
  public static let standardPersistence = 3
  /// As many as a wide terminal has columns for.
  public static let standardPoints = 100
  /// The most layers, of whose points 1,000 a run take 128 MB.
  public static let mostLayers = 1000
  /// The most points a layer and run that a client may ask for.
  public static let mostPoints = 1000

  /// Makes the standard ones.
  public init() {}
}
