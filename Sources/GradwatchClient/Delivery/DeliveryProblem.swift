/// Why an attempt to register, or a stream, ended, as far as it decides what to do next.
package enum DeliveryProblem: Error, Equatable, Sendable {
  /// It may work later: connect again, not before `retryAfter` has passed.
  case transient(String, retryAfter: Duration = .zero)
  /// The collector does not know the run or the producer: register again.
  case unknownRun(String)
  /// It will never work.
  case permanent(ClientError)
}
