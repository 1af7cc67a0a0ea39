import SwiftProtobuf
import TelemetryWire

/// Steps: `N`, `A:B`, `A:` or `:B`, both ends included.
struct StepRange: DescribedArgument, Sendable, Equatable {
  static let expectation = "steps as N, A:B with A at most B, A: or :B"

  var first: UInt64
  /// `nil`: to the end.
  var last: UInt64?

  init(first: UInt64, last: UInt64?) {
    self.first = first
    self.last = last
  }

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard argument != ":", (1...2).contains(parts.count),
      let first = parts[0].isEmpty && parts.count == 2 ? 0 : UInt64(parts[0])
    else { return nil }
    self.first = first
    if parts.count == 1 {
      last = first
    } else if !parts[1].isEmpty {
      guard let last = UInt64(parts[1]), first <= last else { return nil }
      self.last = last
    }
  }

  /// The wire's form.
  var message: Gradwatch_V1_StepRange {
    .with {
      $0.first = first
      if let last { $0.last = last }
    }
  }

  /// Where, in words, for diagnostics.
  var words: String {
    guard let last else { return "from step \(first) on" }
    return first == last ? "at step \(first)" : "in steps \(first) to \(last)"
  }
}
