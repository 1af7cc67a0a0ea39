/// The number of an optimizer update, from 0.
///
/// A plain integer, because every column of steps is one; the bound is what SQLite and most client
/// languages can hold in a signed 64-bit integer.
public enum Step {
  /// The largest step that a report may carry.
  public static let maximum = UInt64(Int64.max)
}
