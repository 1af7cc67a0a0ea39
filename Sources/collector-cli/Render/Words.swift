import Foundation
import SwiftProtobuf
import Telemetry
import TelemetryWire
import TerminalOutput

// Wire values as people read them.

extension Gradwatch_V1_Severity {
  /// The severity's name.
  var word: String { Severity(wire: self).map { "\($0)" } ?? "severity \(rawValue)" }

  /// The severity's colour.
  var style: Style {
    switch self {
    case .critical: .critical
    case .warning: .warning
    default: .info
    }
  }
}

extension Gradwatch_V1_AlertState {
  /// The state's name.
  var word: String { AlertState(wire: self).map { "\($0)" } ?? "state \(rawValue)" }

  /// Whether the alert asks for somebody: it fires, acknowledged or not.
  var isOpen: Bool { self == .firing || self == .acknowledged }

  /// The state's colour.
  var style: Style {
    switch self {
    case .firing: .emphasis
    case .resolved: .success
    default: .faint
    }
  }
}

extension Gradwatch_V1_Evidence {
  /// What was measured, beside what it was held against.
  var measured: String {
    var text = "\(quantity): \(NumberText.short(observed))"
    if hasBaseline { text += ", before or elsewhere \(NumberText.short(baseline))" }
    if hasThreshold { text += ", bound \(NumberText.short(threshold))" }
    if lastStep > firstStep { text += " (steps \(firstStep) to \(lastStep))" }
    return text
  }
}

extension Gradwatch_V1_Verdict {
  /// The verdict's name.
  var word: String {
    switch self {
    case .noData: "no data"
    case .healthy: "healthy"
    case .recovered: "recovered"
    case .sick: "sick"
    case .unspecified, .UNRECOGNIZED: "verdict \(rawValue)"
    }
  }
}

extension Gradwatch_V1_RunStatus {
  /// The status's name.
  var word: String { RunStatus(wire: self).map { "\($0)" } ?? "status \(rawValue)" }

  /// The status's colour.
  var style: Style {
    switch self {
    case .running: .info
    case .finished: .success
    case .failed: .critical
    default: .plain
    }
  }
}

extension Gradwatch_V1_OpenAlertCounts {
  /// The counts that are not 0, the worst first, in a cell of the worst one's colour.
  var cell: Table.Cell {
    let parts = [(critical, "critical"), (warning, "warning"), (info, "info")]
      .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    let style: Style = critical > 0 ? .critical : warning > 0 ? .warning : .plain
    return Table.Cell(parts.isEmpty ? "none" : parts.joined(separator: ", "), style)
  }
}

extension Google_Protobuf_Timestamp {
  /// Seconds since 1970.
  var seconds: Double { WallTime(wire: self).seconds }

  /// RFC 3339, in UTC.
  var text: String { TimeText.rfc3339(seconds) }

  /// How long ago that was (`3 min ago`).
  var age: String { TimeText.span(Date().timeIntervalSince1970 - seconds) + " ago" }
}

extension Table.Cell {
  /// A field as people read it.
  init(_ field: DelimitedText.Field) {
    switch field {
    case .text(let text): self.init(text)
    case .real(let value): self.init(number: value)
    case .integer(let value): self.init("\(value)")
    case .missing: self.init("")
    }
  }
}

extension Terminal {
  /// The same place without colours, for text that becomes a table's cell.
  var plain: Terminal {
    var plain = self
    plain.usesColor = false
    return plain
  }
}
