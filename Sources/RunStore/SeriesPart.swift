/// A part of a series, as the store has it: every measurement, or points that each sum up several.
public enum SeriesPart: Sendable, Hashable {
  /// Measurements, each at its step.
  case measurements(SeriesSlice)
  /// Points, each over several steps.
  case points(SeriesPoints)
}
