public import RunStore
public import Telemetry

/// What a query could not answer.
public enum QueryError: Error, Equatable, Sendable {
  /// The store could not, or the run is unknown.
  case store(RunStoreError)
  /// The run has no report, so it has no producer to show either.
  case noProducer(RunID)
  /// A run was to be compared with itself. The caller names another run, or another of its producers.
  case sameRun(RunID, ProducerID)
  /// Two runs have no tensor, and no layer, of the same name among those selected.
  case noCommonTensor(RunID, RunID)
  /// Two runs have no step in common in the range.
  case noCommonStep(RunID, RunID)
}

extension QueryError: CustomStringConvertible {
  /// The place and what is missing, as one fragment.
  public var description: String {
    switch self {
    case .store(let error): error.description
    case .noProducer(let run): "run \(run): no producer is registered"
    case .sameRun(let run, let producer):
      "run \(run), producer \(producer): expected another one beside it, found the same"
    case .noCommonTensor(let a, let b):
      "runs \(a) and \(b): expected a tensor or layer of the same name, found none"
    case .noCommonStep(let a, let b): "runs \(a) and \(b): expected a common step, found none"
    }
  }
}
