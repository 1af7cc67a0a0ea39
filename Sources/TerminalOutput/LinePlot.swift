/// A series over steps as a line in a frame with axes.
///
/// Nothing that was measured is lost by the drawing: a point that stands for many measurements is
/// drawn as a band from its smallest to its largest value, points that share a column are all
/// drawn, NaN and infinities are marked on a row of their own above the frame, and zeros, which
/// have no place on a logarithmic axis, on one below it.
public struct LinePlot: Sendable {
  /// One measurement, or a range of them.
  public struct Point: Hashable, Sendable {
    /// The first step.
    public var step: UInt64
    /// The last step; the first one for a single measurement.
    public var lastStep: UInt64
    /// What the line goes through; not finite: the line is broken here.
    public var value: Double
    /// The smallest finite value.
    public var low: Double
    /// The largest finite value.
    public var high: Double
    /// How many measurements were NaN or infinite.
    public var nonFiniteCount: UInt64

    /// The steps as text: one, or a range.
    fileprivate var place: String { step == lastStep ? "\(step)" : "\(step)-\(lastStep)" }

    /// Makes a point of one measurement.
    public init(step: UInt64, value: Double) {
      self.init(
        steps: step...step,
        value: value,
        low: value.isFinite ? value : .nan,
        high: value.isFinite ? value : .nan,
        nonFiniteCount: value.isFinite ? 0 : 1
      )
    }

    /// Makes a point of a range of measurements.
    public init(
      steps: ClosedRange<UInt64>,
      value: Double,
      low: Double,
      high: Double,
      nonFiniteCount: UInt64
    ) {
      step = steps.lowerBound
      lastStep = steps.upperBound
      self.value = value
      self.low = low
      self.high = high
      self.nonFiniteCount = nonFiniteCount
    }
  }

  /// What is shown, on the line above the frame.
  public var title: String
  /// The points, by ascending step.
  public var points: [Point]
  /// How values are spread over the height.
  public var scale: ScaleChoice
  /// The rows of characters of the frame.
  public var rows: Int
  /// The last measurement, to be said in figures; `nil`: the last point's value.
  public var last: Double?

  /// Makes a plot.
  public init(title: String, points: [Point], scale: ScaleChoice = .automatic, rows: Int = 12) {
    self.title = title
    self.points = points
    self.scale = scale
    self.rows = max(rows, 2)
  }

  /// The plot as lines, each with its line feed: title, frame, axis and a line that says last,
  /// smallest, largest and first non-finite value in figures.
  public func rendered(on terminal: Terminal) -> String {
    var text = terminal.paint(title, .emphasis) + "\n"
    guard let first = points.first, let last = points.last else { return text + "no points\n" }
    let finite = points.flatMap { [$0.low, $0.high, $0.value] }
    let fitted = ValueScale(finite, choice: scale)
    let frame = PlotFrame(
      steps: first.step...max(first.step, last.lastStep),
      scale: fitted,
      rows: rows,
      on: terminal
    )
    let hasNonFinite = points.contains { $0.nonFiniteCount > 0 }
    if hasNonFinite {
      text += frame.markRow(
        PlotFrame.nonFiniteLabel,
        steps: points.filter { $0.nonFiniteCount > 0 }.map(\.step),
        glyph: terminal.glyph("×", "!"),
        style: .critical
      )
    }
    if fitted != nil { text += frame.drawing(of: points) }
    let unplaced = points.filter { $0.low <= 0 && fitted?.isLogarithmic == true }
    if !unplaced.isEmpty {
      text += frame.markRow(
        unplaced.contains { $0.low < 0 } ? PlotFrame.negativeLabel : PlotFrame.zeroLabel,
        steps: unplaced.map(\.step),
        glyph: terminal.glyph("○", "o"),
        style: .warning
      )
    }
    return text + frame.stepAxis() + frame.indented(summary(isLogarithmic: fitted?.isLogarithmic))
  }

  private func summary(isLogarithmic: Bool?) -> [(text: String, style: Style)] {
    var parts: [(text: String, style: Style)] = []
    if let last = last ?? points.last?.value {
      parts.append(("last \(NumberText.short(last))", NumberText.style(of: last)))
    }
    if let lowest = points.filter(\.low.isFinite).min(by: { $0.low < $1.low }),
      let highest = points.filter(\.high.isFinite).max(by: { $0.high < $1.high })
    {
      parts.append(("min \(NumberText.short(lowest.low)) at \(lowest.place)", .plain))
      parts.append(("max \(NumberText.short(highest.high)) at \(highest.place)", .plain))
    }
    if isLogarithmic == true { parts.append(("log scale", .faint)) }
    if let first = points.first(where: { $0.nonFiniteCount > 0 }) {
      let count = points.reduce(0) { $0 &+ $1.nonFiniteCount }
      parts.append(("\(count) NaN or Inf, first at \(first.place)", .critical))
    }
    return parts
  }
}
