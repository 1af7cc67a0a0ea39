/// What all series of one metric of the step as a whole have at some consecutive reports.
public struct StepSeriesPiece: Sendable, Hashable {
  /// One of the series, such as a loss.
  public struct Series: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// What it has there.
    public var part: SeriesPart

    /// Makes a part of a series.
    public init(name: String, part: SeriesPart) {
      self.name = name
      self.part = part
    }
  }

  /// The last step of the reports.
  public var lastStep: UInt64
  /// The number of reports, or of points where they were rolled up; some may have no value.
  public var rowCount: Int
  /// The series that have a value there, in the order in which they first do.
  public var series: [Series]

  /// Makes a piece.
  public init(lastStep: UInt64, rowCount: Int, series: [Series]) {
    self.lastStep = lastStep
    self.rowCount = rowCount
    self.series = series
  }
}
