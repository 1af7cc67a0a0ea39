import Foundation
import Synchronization
import TerminalOutput

/// Standard output and standard error, shared by progress and alerts.
///
/// On a terminal, progress is one line that is drawn over again, and whatever else is written goes
/// above it.
final class Console: Sendable {
  private struct State {
    /// The progress line that stands on the terminal; empty if there is none.
    var line = ""
  }

  /// How standard output shows.
  let output: Terminal
  /// How standard error shows, where progress goes.
  let progress: Terminal

  private let isQuiet: Bool
  private let state = Mutex(State())

  init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    output = Terminal(descriptor: 1)
    progress = Terminal(descriptor: 2)
  }

  /// Whether progress is drawn over again, many times a second, instead of written line by line.
  var redraws: Bool { progress.isInteractive }

  /// Shows how far a training is.
  func show(_ text: String) {
    guard !isQuiet else { return }
    state.withLock { state in
      if redraws {
        let columns = progress.layoutColumns - 1
        state.line = text.escapingControls.truncated(to: columns)
        Self.write("\r\u{1b}[2K" + state.line, to: 2)
      } else {
        Self.write(text.escapingControls + "\n", to: 2)
      }
    }
  }

  /// Removes the progress line.
  func clear() {
    state.withLock { state in
      if !state.line.isEmpty { Self.write("\r\u{1b}[2K", to: 2) }
      state.line = ""
    }
  }

  /// Writes lines to standard output, above the progress line.
  ///
  /// - Parameters:
  ///   - text: The lines, with their line feeds and colours.
  ///   - isResult: Whether it is written even if only results are wanted.
  func write(_ text: String, isResult: Bool = false) {
    guard isResult || !isQuiet else { return }
    state.withLock { state in
      if !state.line.isEmpty { Self.write("\r\u{1b}[2K", to: 2) }
      Self.write(text, to: 1)
      if !state.line.isEmpty { Self.write(state.line, to: 2) }
    }
  }

  /// Writes a message to standard error, with the program's name in front.
  static func diagnose(_ message: String) {
    write("training-client: \(message.escapingControls)\n", to: 2)
  }

  /// Writes all of a text to a file descriptor; gives up if nobody reads it any more.
  static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        bytes = bytes.dropFirst(count)
      } else if errno != EINTR {
        return
      }
    }
  }
}
