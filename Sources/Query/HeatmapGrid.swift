/// Rows of one metric over equal ranges of steps.
public struct HeatmapGrid: Sendable, Hashable {
  /// One tensor or layer.
  public struct Row: Sendable, Hashable {
    /// Its index in the model.
    public var index: UInt32
    /// A value a column; NaN: none of the measurements was finite, or there was none.
    public var values: [Float]
    /// The number of measurements of each column.
    public var counts: [UInt32]
    /// How many of them were not finite.
    public var nonFiniteCounts: [UInt32]
  }

  /// The first step of each column.
  public let firstSteps: [UInt64]
  /// The last step of the last column.
  public let lastStep: UInt64

  private let parts: StepParts

  /// Cuts steps into columns.
  ///
  /// - Parameters:
  ///   - steps: The steps, both ends included.
  ///   - maximumColumns: The most columns, at least 1.
  public init(steps: ClosedRange<UInt64>, maximumColumns: Int) {
    let parts = StepParts(steps, maximumCount: maximumColumns)
    self.parts = parts
    lastStep = steps.upperBound
    let count = parts.index(of: steps.upperBound) + 1
    firstSteps = (0..<count).map { steps.lowerBound + $0 * parts.width }
  }

  /// Some rows, without measurements.
  package func cells(rows: Int) -> HeatmapCells {
    HeatmapCells(rows: rows, columns: firstSteps.count, parts)
  }
}
