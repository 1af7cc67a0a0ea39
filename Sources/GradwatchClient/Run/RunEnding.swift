package import Telemetry

/// How a run ended, as the collector is told.
package struct RunEnding: Hashable, Sendable {
  /// Finished, failed or aborted.
  package var status: RunStatus
  /// Why, for people, a proper ``Telemetry/Name``; empty if there is nothing to say.
  package var reason: String

  /// Makes an ending; a reason that a collector would refuse is cut and cleaned.
  package init(_ status: RunStatus, reason: String = "") {
    self.status = status
    var text = String(
      String.UnicodeScalarView(
        reason.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
      )
    )
    while text.utf8.count > Name.maximumBytes { text.removeLast() }
    self.reason = text
  }
}
