import Foundation
import GRPCCore
import GRPCProtobuf
import GradwatchClient

// The one place where a status of gRPC becomes an exit status and a line for people.

extension CommandFailure {
  /// Takes the error of a call.
  ///
  /// - Parameters:
  ///   - error: The error; details of google.rpc in it are read.
  ///   - address: The collector that was asked.
  init(_ error: RPCError, from address: CollectorAddress) {
    let details = (try? error.unpackGoogleRPCStatus())?.details ?? []
    let message = Self.message(of: error, details)
    switch error.code {
    case .notFound: self.init(.notFound, message)
    case .invalidArgument, .failedPrecondition, .outOfRange, .alreadyExists:
      self.init(.usage, message)
    case .unavailable where details.isEmpty:
      self.init(
        .unreachable,
        "\(address): \(Self.reasonNobodyAnswers(error))",
        hint: "start one with 'collector serve', or name another with --server"
      )
    case .deadlineExceeded:
      self.init(
        .unreachable,
        "\(address): no answer in time",
        hint: "raise --timeout, or ask for less"
      )
    case .unavailable, .resourceExhausted, .aborted:
      self.init(.unreachable, "\(address): \(message)")
    case .unauthenticated, .permissionDenied: self.init(.notPermitted, "\(address): \(message)")
    default: self.init(.internalError, "\(address): \(error.code): \(message)")
    }
  }

  /// The collector's words; field by field if the request was at fault.
  private static func message(of error: RPCError, _ details: [ErrorDetails]) -> String {
    let violations = details.compactMap(\.badRequest).flatMap(\.violations)
    guard !violations.isEmpty else { return error.message }
    return violations.map { violation in
      violation.violationDescription.hasPrefix(violation.field)
        ? violation.violationDescription : "\(violation.field): \(violation.violationDescription)"
    }.joined(separator: "; ")
  }

  private static func reasonNobodyAnswers(_ error: RPCError) -> String {
    let text = "\(error)"
    if let number = errorNumber(in: text) {
      return "no collector answers: \(String(cString: strerror(number)).lowercased())"
    }
    if text.contains("resolve") { return "no such host" }
    // gRPC's own words are sentences: "Stream unexpectedly closed."
    return "no collector answers: \(error.message.prefix { $0 != "." }.lowercased())"
  }

  /// The system's error number, which the transport has only in its text: `(errno: 111)`.
  private static func errorNumber(in text: String) -> Int32? {
    guard let mark = text.range(of: "errno: ") else { return nil }
    return Int32(text[mark.upperBound...].prefix { $0.isNumber })
  }
}
