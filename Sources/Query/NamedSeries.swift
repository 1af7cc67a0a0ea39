/// Values by name, in the order in which the names first came.
struct NamedSeries<Value> {
  /// The values.
  private(set) var all: [(name: String, value: Value)] = []
  private var places: [String: Int] = [:]

  /// Changes the value of a name, which starts from `value`.
  mutating func change(
    _ name: String,
    from value: @autoclosure () -> Value,
    _ change: (inout Value) -> Void
  ) {
    if places[name] == nil {
      places[name] = all.count
      all.append((name, value()))
    }
    if let place = places[name] { change(&all[place].value) }
  }
}
