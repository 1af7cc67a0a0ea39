import CollectorService
import GRPCCore
import GRPCProtobuf
import Query
import RunStore
import Telemetry
import Testing

@Suite("What a client gets for each error of a room")
struct FailureTests {
  private static let run = RunID(stored: "r")

  @Test(
    "an error has a code, a reason and the domain",
    arguments: [
      (
        TelemetryError.outOfRange(field: "f", expected: "a", found: "b") as any Error,
        RPCError.Code.invalidArgument, "INVALID_FIELD"
      ),
      (RunStoreError.unknownRun(run), .notFound, "UNKNOWN_RUN"),
      (RunStoreError.unknownProducer(run, ProducerID(stored: "p")), .notFound, "UNKNOWN_PRODUCER"),
      (
        RunStoreError.modelDiffers(run: run, field: "f", expected: "a", found: "b"),
        .failedPrecondition, "MODEL_DIFFERS"
      ),
      (RunStoreError.damaged(place: "chunk", detail: "checksum"), .dataLoss, "DAMAGED"),
      (
        RunStoreError.unavailable(operation: "commit", detail: "full"), .unavailable,
        "STORE_UNAVAILABLE"
      ),
      (
        RunStoreError.newerVersion(path: "p", found: "9", supported: "1"), .internalError,
        "INTERNAL"
      ),
      (QueryError.store(.unknownRun(run)), .notFound, "UNKNOWN_RUN"),
      (QueryError.noProducer(run), .notFound, "NO_PRODUCER"),
      (QueryError.sameRun(run, ProducerID(stored: "p")), .invalidArgument, "SAME_RUN"),
      (QueryError.noCommonTensor(run, run), .failedPrecondition, "NO_COMMON_TENSOR"),
      (QueryError.noCommonStep(run, run), .failedPrecondition, "NO_COMMON_STEP"),
    ]
  )
  func status(_ error: any Error, _ code: RPCError.Code, _ reason: String) throws {
    let status = try #require(Failure.status(of: error) as? GoogleRPCStatus)
    #expect(status.code == code)
    let info = try #require(status.details.first?.errorInfo)
    #expect(info.reason == reason)
    #expect(info.domain == "gradwatch")
  }

  @Test(
    "what may work later carries when to try again",
    arguments: [
      RunStoreError.unavailable(operation: "commit", detail: "full"),
      .damaged(place: "log", detail: "checksum"),
      .sequenceConflict(run: run, producer: ProducerID(stored: "p"), expected: 2, found: 3),
    ]
  )
  func retry(_ error: RunStoreError) {
    let status = Failure.status(ofIngest: error)
    #expect(status.code == .unavailable)
    #expect(status.details.contains { $0.retryInfo != nil })
  }

  @Test("a bad field is named in google.rpc.BadRequest")
  func badRequest() throws {
    let error = TelemetryError.columnLength(column: "gradients.norm", expected: 6, found: 5)
    let status = try #require(Failure.status(of: error) as? GoogleRPCStatus)
    let violation = try #require(status.details.compactMap(\.badRequest).first?.violations.first)
    #expect(violation.field == "gradients.norm")
    #expect(violation.violationDescription == "gradients.norm: expected 6 values, found 5")
  }

  @Test("a status of ours passes as it is, and so does what is not ours")
  func passes() {
    #expect(Failure.status(of: Failure.superseded.status) is GoogleRPCStatus)
    #expect(Failure.status(of: CancellationError()) is CancellationError)
  }
}
