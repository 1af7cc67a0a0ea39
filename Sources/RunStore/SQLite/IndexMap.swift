/// For each tensor or layer, where its value stands in columns that name the ones they speak of.
struct IndexMap {
  /// The indices that the columns name, one a value.
  let indices: [UInt32]
  private let positions: [Int32]

  /// Inverts a list of indices, of which none is above ``Telemetry/Model/maximumCount``; of an
  /// index that is named twice, the last place counts.
  init(_ indices: [UInt32]) {
    self.indices = indices
    var positions = [Int32](repeating: -1, count: (indices.max().map { Int($0) } ?? -1) + 1)
    for (position, index) in indices.enumerated() { positions[Int(index)] = Int32(position) }
    self.positions = positions
  }

  /// One more than the largest index.
  var subjects: Int { positions.count }

  /// Where the value of `index` stands; `nil` if it is not named.
  @inline(__always)
  func position(of index: Int) -> Int? {
    guard index < positions.count, positions[index] >= 0 else { return nil }
    return Int(positions[index])
  }
}

/// The maps of the rows of a segment; rows that name the same indices, as nearly all do, share one.
struct IndexMaps {
  private var maps: [IndexMap] = []
  private var last: [Int: Int] = [:]

  /// One of the maps.
  subscript(place: Int) -> IndexMap {
    @inline(__always) _read { yield maps[place] }
  }

  /// Adds a list of indices, unless it is that of the row before.
  ///
  /// `group` is which of a row's lists it is. Returns the place of the map; `nil` if the list is
  /// empty, so that every index is its own place.
  mutating func add(_ indices: [UInt32], for group: Int) -> Int? {
    guard !indices.isEmpty else { return nil }
    if let place = last[group], maps[place].indices == indices { return place }
    maps.append(IndexMap(indices))
    last[group] = maps.count - 1
    return maps.count - 1
  }
}
