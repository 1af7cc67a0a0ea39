import Dispatch
import Foundation
import Synchronization

/// Whether somebody asked this process to stop, by Ctrl-C or SIGTERM.
///
/// The first time lets the step end and the run be told; the second ends the process at once.
final class Interruption: Sendable {
  private let isRaised = Atomic(false)
  // Sources are kept alive here; they are not touched after they were made.
  nonisolated(unsafe) private var sources: [any DispatchSourceSignal] = []

  init() {
    for number in [SIGINT, SIGTERM] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler { [weak self] in
        self?.isRaised.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
      source.resume()
      sources.append(source)
    }
  }

  /// Throws if somebody asked.
  func check() throws(CancellationError) {
    if isRaised.load(ordering: .relaxed) { throw CancellationError() }
  }
}
