import Detection
import GRPCCore
package import GRPCProtobuf
import Query
package import RunStore
package import Telemetry

/// Every error that leaves this process: the one place where a room's error becomes a status.
///
/// Each carries `google.rpc.ErrorInfo` with the domain `gradwatch` and one of these reasons; what a client
/// does about it follows from the code.
package enum Failure {
  /// A stream's first message was no StreamOpen.
  case firstMessage
  /// A later message was no report.
  case notAReport
  /// A report without a number.
  case sequenceZero
  /// A newer stream of the same producer was opened.
  case superseded
  /// The collector is shutting down, or starts over with this producer.
  case shuttingDown
  /// A subscriber fell behind what is held in memory.
  case slowSubscriber(AlertCursor)
  /// An alert that does not exist.
  case unknownAlert(AlertID)
  /// An alert that does not fire can't be acknowledged.
  case notFiring(AlertID, AlertState)
  /// A silence that does not exist, or has ended.
  case unknownSilence(String)
  /// No more silences can be held.
  case tooManySilences(limit: Int)
  /// No more rule tests can be under way.
  case tooManyTests(limit: Int)
  /// No more comparisons of runs can be under way.
  case tooManyComparisons(limit: Int)
  /// Rules under test that raise more than can be answered.
  case tooManyAlerts(limit: Int)
  /// A run is running, and streams are open for it.
  case runHasStreams(RunID)
  /// The run of a stream was deleted.
  case runDeleted(RunID)
  /// A selector that nothing of the model matches.
  case nothingMatches(RunID)

  /// The domain of all reasons.
  static let domain = "gradwatch"

  /// The status that a client gets.
  package var status: GoogleRPCStatus {
    switch self {
    case .firstMessage:
      Self.make(
        .invalidArgument,
        "FIRST_MESSAGE",
        "stream: expected StreamOpen as the first message, found another or none"
      )
    case .notAReport:
      Self.make(
        .invalidArgument,
        "NOT_A_REPORT",
        "stream: expected a report after StreamOpen, found another message"
      )
    case .sequenceZero:
      Self.make(
        .invalidArgument,
        "SEQUENCE",
        "report: sequence: expected at least 1, found 0",
        field: ("sequence", "expected at least 1, found 0")
      )
    case .superseded:
      Self.make(
        .aborted,
        "SUPERSEDED",
        "stream: a newer stream of the same producer was opened"
      )
    case .shuttingDown:
      Self.make(
        .unavailable,
        "SHUTTING_DOWN",
        "the collector is shutting down: connect again later",
        retryAfter: .seconds(1)
      )
    case .slowSubscriber(let cursor):
      Self.make(
        .resourceExhausted,
        "SLOW_SUBSCRIBER",
        "subscription: fell too far behind: resume from cursor \(cursor.rawValue)",
        metadata: ["cursor": "\(cursor.rawValue)"]
      )
    case .unknownAlert(let id):
      Self.make(.notFound, "UNKNOWN_ALERT", "alert \(id.rawValue.prefix(64)): not in the store")
    case .notFiring(let id, let state):
      Self.make(
        .failedPrecondition,
        "NOT_FIRING",
        "alert \(id): expected to be firing, found \(state)"
      )
    case .unknownSilence(let id):
      Self.make(.notFound, "UNKNOWN_SILENCE", "silence \(id.prefix(64)): not there, or ended")
    case .tooManySilences(let limit):
      Self.make(
        .resourceExhausted,
        "TOO_MANY_SILENCES",
        "silences: expected at most \(limit), found as many: remove one first"
      )
    case .tooManyTests(let limit):
      Self.make(
        .resourceExhausted,
        "TOO_MANY_TESTS",
        "rule tests: expected at most \(limit) at once, found as many under way",
        retryAfter: .seconds(10)
      )
    case .tooManyComparisons(let limit):
      Self.make(
        .resourceExhausted,
        "TOO_MANY_COMPARISONS",
        "comparisons: expected at most \(limit) at once, found as many under way",
        retryAfter: .seconds(10)
      )
    case .tooManyAlerts(let limit):
      Self.make(
        .resourceExhausted,
        "TOO_MANY_ALERTS",
        "rule test: expected at most \(limit) alerts, found more: test stricter rules"
      )
    case .runHasStreams(let run):
      Self.make(
        .failedPrecondition,
        "RUN_HAS_STREAMS",
        "run \(run): expected no open stream of a run in progress, found some: end it, or use force"
      )
    case .runDeleted(let run):
      // Not NOT_FOUND, at which a client registers the run anew.
      Self.make(.failedPrecondition, "RUN_DELETED", "run \(run): was deleted by an operator")
    case .nothingMatches(let run):
      Self.make(.notFound, "NOTHING_MATCHES", "run \(run): no tensor or layer matches the selector")
    }
  }

  /// Runs a handler and turns what it throws into a status.
  static func mapped<Value>(_ body: () async throws -> Value) async throws -> Value {
    do { return try await body() } catch { throw status(of: error) }
  }

  /// The status of any error, for a call that reads or registers.
  package static func status(of error: any Error) -> any Error {
    switch error {
    case let error as TelemetryError:
      make(
        .invalidArgument,
        "INVALID_FIELD",
        error.description,
        field: (error.field, error.description)
      )
    case let error as RuleSetError:
      make(
        .invalidArgument,
        "INVALID_RULES",
        "rules.\(error.description)",
        field: ("rules.\(error.place)", error.description)
      )
    case let error as RunStoreError: status(ofQuery: error)
    case let error as QueryError: status(of: error)
    case LiveProducer.Interruption.superseded: superseded.status
    case LiveProducer.Interruption.storeFailed(let error): status(ofIngest: error)
    case LiveProducer.Interruption.runDeleted(let run): runDeleted(run).status
    case let error as LiveProducers.Full:
      make(
        .resourceExhausted,
        "TOO_MANY_PRODUCERS",
        "\(error.what): all \(error.limit) places are taken",
        retryAfter: .seconds(10)
      )
    // A status of ours, a status of gRPC (bytes that are no message, say), or a cancellation.
    default: error
    }
  }

  private static func status(of error: QueryError) -> GoogleRPCStatus {
    switch error {
    case .store(let error): status(ofQuery: error)
    case .noProducer: make(.notFound, "NO_PRODUCER", error.description)
    case .sameRun:
      make(
        .invalidArgument,
        "SAME_RUN",
        error.description,
        field: ("run_b", error.description)
      )
    case .noCommonTensor: make(.failedPrecondition, "NO_COMMON_TENSOR", error.description)
    case .noCommonStep: make(.failedPrecondition, "NO_COMMON_STEP", error.description)
    }
  }

  /// The status of a store's error for a client that sends: what fails now may work later.
  package static func status(ofIngest error: RunStoreError) -> GoogleRPCStatus {
    switch error {
    case .damaged, .sequenceConflict, .unavailable:
      make(.unavailable, "STORE_UNAVAILABLE", error.description, retryAfter: .seconds(1))
    default: status(ofQuery: error)
    }
  }

  private static func status(ofQuery error: RunStoreError) -> GoogleRPCStatus {
    switch error {
    case .unknownRun: make(.notFound, "UNKNOWN_RUN", error.description)
    case .unknownProducer: make(.notFound, "UNKNOWN_PRODUCER", error.description)
    case .modelDiffers: make(.failedPrecondition, "MODEL_DIFFERS", error.description)
    case .damaged: make(.dataLoss, "DAMAGED", error.description)
    case .unavailable:
      make(.unavailable, "STORE_UNAVAILABLE", error.description, retryAfter: .seconds(1))
    case .sequenceConflict, .newerVersion, .inUse, .cannotOpen:
      make(.internalError, "INTERNAL", error.description)
    }
  }

  private static func make(
    _ code: RPCError.Code,
    _ reason: String,
    _ message: String,
    metadata: [String: String] = [:],
    field: (name: String, description: String)? = nil,
    retryAfter: Duration? = nil
  ) -> GoogleRPCStatus {
    var details: [ErrorDetails] = [
      .errorInfo(reason: reason, domain: domain, metadata: metadata)
    ]
    if let field {
      details.append(
        .badRequest(violations: [.init(field: field.name, description: field.description)])
      )
    }
    if let retryAfter { details.append(.retryInfo(delay: retryAfter)) }
    return GoogleRPCStatus(code: code, message: message, details: details)
  }
}

extension RuleSetError {
  /// The setting at fault.
  fileprivate var place: String {
    switch self {
    case .unknownRule(let rule): "\(rule)"
    case .unknownThreshold(let rule, let name, _): "\(rule).thresholds.\(name)"
    case .outOfRange(let rule, let threshold, _, _): "\(rule).thresholds.\(threshold)"
    }
  }
}
