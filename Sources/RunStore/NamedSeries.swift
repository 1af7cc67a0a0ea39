/// Values by name, in the order in which the names first came.
package struct NamedSeries<Value> {
  /// The values.
  package private(set) var all: [(name: String, value: Value)] = []
  private var places: [String: Int] = [:]
  /// The place behind the last one: a step's series mostly are those of the step before, in the same order.
  private var next = 0

  /// Makes an empty one.
  package init() {}

  /// Changes the value of a name, which starts from `value`.
  package mutating func change(
    _ name: String,
    from value: @autoclosure () -> Value,
    _ change: (inout Value) -> Void
  ) {
    let place = place(of: name, value)
    change(&all[place].value)
    next = place + 1 < all.count ? place + 1 : 0
  }

  private mutating func place(of name: String, _ value: () -> Value) -> Int {
    if next < all.count, all[next].name == name { return next }
    if let place = places[name] { return place }
    places[name] = all.count
    all.append((name, value()))
    return all.count - 1
  }
}
