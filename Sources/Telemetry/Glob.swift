/// A pattern for names: `*` is any text, `?` is any one character, everything else is itself.
public struct Glob: Sendable, Hashable {
  private let pattern: [Character]

  /// Takes a pattern; an empty one matches everything.
  public init(_ pattern: String) { self.pattern = Array(pattern) }

  /// Whether the whole of `name` matches.
  ///
  /// Takes at most `pattern.count * name.count` comparisons, whatever the pattern: it goes back to the
  /// last star only.
  public func matches(_ name: String) -> Bool {
    guard !pattern.isEmpty else { return true }
    let name = Array(name)
    var (at, position) = (0, 0)
    var (star, mark): (Int?, Int) = (nil, 0)
    while position < name.count {
      if at < pattern.count, pattern[at] == "*" {
        (star, mark) = (at, position)
        at += 1
      } else if at < pattern.count, pattern[at] == "?" || pattern[at] == name[position] {
        at += 1
        position += 1
      } else if let last = star {
        mark += 1
        (at, position) = (last + 1, mark)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == "*" }
  }
}
