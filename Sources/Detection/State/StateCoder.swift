import Telemetry

/// Visits every value of a detector's state, to write it or to read it back.
///
/// One visit serves both directions, so the two can't disagree on the order. A type lists its
/// stored values in `code(_:)`; what derives from the model is not listed.
protocol StateCoder {
  /// Writes the value, or replaces it by the one that was written.
  mutating func code(_ value: inout UInt64) throws(SnapshotError)
  /// Writes the elements, or replaces them; the count is fixed by the model.
  mutating func code(_ values: inout [Float]) throws(SnapshotError)
  /// Writes the text, or replaces it.
  mutating func code(_ value: inout String) throws(SnapshotError)
  /// The error for a value that was read and can't be.
  func malformed() -> SnapshotError
}

extension StateCoder {
  mutating func code(_ value: inout Double) throws(SnapshotError) {
    var bits = value.bitPattern
    try code(&bits)
    value = Double(bitPattern: bits)
  }

  mutating func code(_ value: inout UInt32) throws(SnapshotError) {
    var wide = UInt64(value)
    try code(&wide)
    guard let narrow = UInt32(exactly: wide) else { throw malformed() }
    value = narrow
  }

  mutating func code(_ value: inout Bool) throws(SnapshotError) {
    var wide: UInt64 = value ? 1 : 0
    try code(&wide)
    guard wide < 2 else { throw malformed() }
    value = wide == 1
  }

  mutating func code(_ value: inout WallTime) throws(SnapshotError) {
    var seconds = value.seconds
    try code(&seconds)
    value = WallTime(clamping: seconds)
  }

  /// An optional value; `placeholder` is what a present one is read into.
  mutating func code<Value>(
    _ value: inout Value?,
    placeholder: Value,
    with visit: (inout Self, inout Value) throws(SnapshotError) -> Void
  ) throws(SnapshotError) {
    var isPresent = value != nil
    try code(&isPresent)
    guard isPresent else {
      value = nil
      return
    }
    var present = value ?? placeholder
    try visit(&self, &present)
    value = present
  }

  mutating func code(_ value: inout Double?) throws(SnapshotError) {
    try code(&value, placeholder: 0) { (coder, value) throws(SnapshotError) in
      try coder.code(&value)
    }
  }

  mutating func code(_ value: inout UInt64?) throws(SnapshotError) {
    try code(&value, placeholder: 0) { (coder, value) throws(SnapshotError) in
      try coder.code(&value)
    }
  }

  mutating func code(_ value: inout WallTime?) throws(SnapshotError) {
    try code(&value, placeholder: WallTime(clamping: 0)) { (coder, value) throws(SnapshotError) in
      try coder.code(&value)
    }
  }

  /// A list of at most `maximum` elements; `placeholder` is what each is read into.
  mutating func code<Element>(
    _ values: inout [Element],
    maximum: Int,
    placeholder: Element,
    with visit: (inout Self, inout Element) throws(SnapshotError) -> Void
  ) throws(SnapshotError) {
    var count = UInt64(values.count)
    try code(&count)
    guard count <= UInt64(maximum) else { throw malformed() }
    if UInt64(values.count) != count {
      values = Array(repeating: placeholder, count: Int(count))
    }
    for index in values.indices { try visit(&self, &values[index]) }
  }

  /// A value of an enumeration with whole raw values.
  mutating func code<Value: RawRepresentable>(_ value: inout Value) throws(SnapshotError)
  where Value.RawValue == UInt8 {
    var raw = UInt64(value.rawValue)
    try code(&raw)
    guard let narrow = UInt8(exactly: raw), let read = Value(rawValue: narrow) else {
      throw malformed()
    }
    value = read
  }
}
