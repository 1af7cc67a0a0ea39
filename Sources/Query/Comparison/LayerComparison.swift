public import RunStore

/// A layer of both runs.
public struct LayerComparison: Sendable {
  /// Its name in run a.
  public var name: String
  /// Its index in run a's model.
  public var a: UInt32
  /// Its index in run b's model.
  public var b: UInt32
  /// Where it parts; `nil`: nowhere.
  public var parting: Parting?
  /// Its values in run a.
  public var pointsA: SeriesPoints
  /// Its values in run b.
  public var pointsB: SeriesPoints
}
