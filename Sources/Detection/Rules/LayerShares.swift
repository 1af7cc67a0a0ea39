import Telemetry

/// An activation column smoothed layer by layer, and the layers above a bound.
///
/// A share is that of one batch; about ten reports of it are a property of the layer.
struct LayerShares: Sendable {
  /// For each layer, the average over about ten reports; NaN before the first.
  private(set) var averages: [Float]
  /// The layers that have been measured, in forward order; not stored.
  private(set) var measured: [UInt32] = []

  private static let weight: Float = 0.1
  /// A finding clears this far below its bound.
  private static let slack = 0.1

  /// Starts without any report.
  init(layerCount: Int) { averages = Array(repeating: .nan, count: layerCount) }

  /// Takes a column; layers for which `isUsed` is false are left out.
  ///
  /// - Returns: Whether the column was there.
  mutating func take(
    _ column: [Float],
    of activations: ActivationColumns,
    where isUsed: (UInt32) -> Bool
  ) -> Bool {
    measured.removeAll(keepingCapacity: true)
    let ids = activations.layerIDs
    guard column.count == (ids.isEmpty ? averages.count : ids.count) else { return false }
    for (position, share) in column.enumerated() where share.isFinite {
      let layer = ids.isEmpty ? UInt32(position) : ids[position]
      guard Int(layer) < averages.count, isUsed(layer) else { continue }
      measured.append(layer)
      let average = averages[Int(layer)]
      averages[Int(layer)] = average.isNaN ? share : average + Self.weight * (share - average)
    }
    // A report may name its layers in any order.
    if !ids.isEmpty { measured.sort() }
    return !measured.isEmpty
  }

  /// The measured layers whose average is above `bound`, or not clearly below it.
  func layers(near bound: Double) -> [UInt32] {
    measured.filter { Double(averages[Int($0)]) > bound - Self.slack }
  }

  /// A finding for each place whose layers are near the lower bound at least.
  func findings(warning: Double, critical: Double, _ anatomy: Anatomy) -> [Finding] {
    Grouping.scopes(of: layers(near: warning), among: measured, anatomy).map { scope in
      let share = largest(in: scope)
      return Finding(
        scope: scope,
        met: share > critical ? .critical : share > warning ? .warning : nil,
        held: share > critical - Self.slack ? .critical : .warning
      )
    }
  }

  /// The largest average among the layers of `scope`.
  func largest(in scope: AlertScope) -> Double {
    Double(measured.filter(scope.contains).map { averages[Int($0)] }.max() ?? .nan)
  }

  /// Forgets the averages.
  mutating func arm() {
    for index in averages.indices { averages[index] = .nan }
  }

  /// Visits the stored values.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&averages)
  }
}
