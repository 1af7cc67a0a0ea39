/// One process that streams for a run.
public struct Producer: Hashable, Sendable {
  /// Its identifier within the run.
  public var id: ProducerID
  /// Its rank in a data-parallel job; `nil` if the job has one process or the client did not say.
  public var rank: UInt32?
  /// The number of processes of the job; `nil` if unknown.
  public var worldSize: UInt32?

  /// Makes a producer.
  public init(id: ProducerID, rank: UInt32? = nil, worldSize: UInt32? = nil) {
    self.id = id
    self.rank = rank
    self.worldSize = worldSize
  }
}
