/// Names that somebody who wrote `name` may have meant, the nearest first; at most three.
public func nearestNames(to name: String, among names: [String]) -> [String] {
  let wanted = Array(name.lowercased().prefix(64))
  let limit = Swift.max(2, wanted.count / 3)
  return
    names
    .map { (name: $0, distance: editDistance(wanted, Array($0.lowercased()))) }
    .filter { $0.distance <= limit || ($0.name.hasPrefix(name) && wanted.count > 2) }
    .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
    .prefix(3).map(\.name)
}

/// Levenshtein's distance: the least number of characters to put in, take out or exchange.
private func editDistance(_ first: [Character], _ second: [Character]) -> Int {
  var row = Array(0...second.count)
  for (index, character) in first.enumerated() {
    var diagonal = row[0]
    row[0] = index + 1
    for (place, other) in second.enumerated() {
      let exchanged = diagonal + (character == other ? 0 : 1)
      diagonal = row[place + 1]
      row[place + 1] = Swift.min(exchanged, diagonal + 1, row[place] + 1)
    }
  }
  return row[second.count]
}
