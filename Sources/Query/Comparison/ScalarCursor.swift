import Telemetry

/// What a run says of its steps as a whole, read step by step, a page in memory at a time.
struct ScalarCursor: Sendable {
  private static let pageSize = 1024

  private let steps: ClosedRange<UInt64>
  private var page: ArraySlice<StepScalars> = []
  /// Where the next page begins; `nil`: there is none.
  private var next: UInt64?

  /// Starts before the first step of a range.
  init(_ steps: ClosedRange<UInt64>) {
    self.steps = steps
    next = steps.lowerBound
  }

  /// The next step, which is not taken; `nil` at the end.
  mutating func peek(from reader: RunReader) throws(QueryError) -> StepScalars? {
    if page.isEmpty, let start = next {
      page = try reader.scalars(steps: start...steps.upperBound, size: Self.pageSize)[...]
      next = page.last.flatMap { $0.step < steps.upperBound ? $0.step + 1 : nil }
    }
    return page.first
  }

  /// Takes the step that ``peek(from:)`` gave.
  mutating func take() { page = page.dropFirst() }
}
