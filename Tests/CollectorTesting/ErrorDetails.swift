public import GRPCCore
public import GRPCProtobuf

/// The `google.rpc.ErrorInfo` of a call that failed; `nil` if it carries none.
public func errorInfo(of error: RPCError?) throws -> ErrorDetails.ErrorInfo? {
  try error?.unpackGoogleRPCStatus()?.details.lazy.compactMap(\.errorInfo).first
}
