import CollectorService
import NIOCore

/// Has a listener wait a while after it could not accept a connection, because no more files may be open, say.
///
/// The connection stays where it is, and the listener would be told of it at once, again and again, with all of a processor.
/// `AcceptBackoffHandler` does not help: the listener goes on being told what it had asked for before.
final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = any Channel

  private static let length = TimeAmount.milliseconds(200)

  private let refusals: FailureLog

  init(_ refusals: FailureLog) { self.refusals = refusals }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard error is IOError else {
      context.fireErrorCaught(error)
      return
    }
    refusals.failed(error)
    let listener = context.channel
    try? listener.syncOptions?.setOption(.autoRead, value: false)
    listener.eventLoop.scheduleTask(in: Self.length) {
      try? listener.syncOptions?.setOption(.autoRead, value: true)
    }
  }
}
