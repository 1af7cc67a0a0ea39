public import RunStore
public import Telemetry

/// What a query could not answer.
public enum QueryError: Error, Equatable, Sendable {
  /// The store could not, or the run is unknown.
  case store(RunStoreError)
  /// The run has no report, so it has no producer to show either.
  case noProducer(RunID)
}

extension QueryError: CustomStringConvertible {
  /// The place and what is missing, as one fragment.
  public var description: String {
    switch self {
    case .store(let error): error.description
    case .noProducer(let run): "run \(run): no producer is registered"
    }
  }
}
