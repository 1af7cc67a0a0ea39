/// What a remedy is about, read from its words: two of one topic are one change, and what must not
/// be done is said by topic.
enum RemedyTopic: Hashable {
  case lowerRate, raiseRate, clip, initialization, normalization, activation, residual, cells
  case unrolling, scaling, restart, other

  /// Reads an action; the first topic that it names is what it is about.
  init(_ action: String) {
    let words = action.lowercased()
    let topics: [(RemedyTopic, [String])] = [
      (
        .lowerRate,
        ["lower the learning rate", "lower the peak learning rate", "set the learning rate back"]
      ),
      (.raiseRate, ["raise the learning rate"]),
      (.clip, ["clip the"]),
      (.initialization, ["initialize"]),
      (.normalization, ["add normalization", "batch normalization", "layer normalization"]),
      (.activation, ["replace "]),
      (.residual, ["residual connection"]),
      (.cells, ["lstm or gru"]),
      (.unrolling, ["through time"]),
      (.scaling, ["scale inputs"]),
      (.restart, ["roll back", "go back to the checkpoint", "restart"]),
    ]
    var first: (topic: RemedyTopic, place: String.Index)?
    for (topic, marks) in topics {
      for mark in marks {
        guard let place = words.firstRange(of: mark)?.lowerBound else { continue }
        if first.map({ place < $0.place }) ?? true { first = (topic, place) }
      }
    }
    self = first?.topic ?? .other
  }

  /// The topic that undoes this one.
  var opposite: RemedyTopic? {
    switch self {
    case .lowerRate: .raiseRate
    case .raiseRate: .lowerRate
    default: nil
    }
  }
}
