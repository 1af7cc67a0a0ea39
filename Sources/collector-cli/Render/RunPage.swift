import TelemetryWire
import TerminalOutput

/// The page of one run: how it is, then what was done about it, then what is wrong, the worst first.
struct RunPage {
  let run: Gradwatch_V1_Run
  let layers: [Gradwatch_V1_LayerEntry]
  let losses: [Gradwatch_V1_GetLossTimelineResponse]
  let alerts: [Gradwatch_V1_Alert]
  /// Whether the collector has more alerts than these.
  let hasMoreAlerts: Bool
  /// What was done, the newest first.
  let annotations: [Gradwatch_V1_AnnotationEntry]
  /// Whether the collector has more than these.
  let hasMoreAnnotations: Bool
  let commandSuffix: String

  private static let indentation = 13

  /// The lines, each with its line feed.
  func rendered(on terminal: Terminal) -> String {
    header(on: terminal) + actions(on: terminal) + "\n" + story(on: terminal)
  }

  private func actions(on terminal: Terminal) -> String {
    guard !annotations.isEmpty else { return "" }
    var text = "\n" + terminal.paint("done about it, the newest first", .emphasis) + "\n"
    text += AnnotationsTable.rendered(
      annotations,
      showsProducer: run.producers.count > 1,
      on: terminal
    )
    if hasMoreAnnotations {
      text += terminal.paint("more: collector-cli query annotations \(run.runID)", .faint) + "\n"
    }
    return text
  }

  private func header(on terminal: Terminal) -> String {
    var text = terminal.paint(run.runID, .emphasis) + "  "
    text += terminal.paint(run.status.word, run.status.style)
    if !run.statusReason.isEmpty { text += terminal.paint(": \(run.statusReason)") }
    text += "\n"
    text += entry("project", run.project, on: terminal)
    text += entry("name", run.name, on: terminal)
    text += entry("framework", run.framework, on: terminal)
    text += entry("started", span, on: terminal)
    text += entry("model", size, on: terminal)
    text += entry("steps", run.hasLastStep ? "last \(run.lastStep)" : "none yet", on: terminal)
    for loss in losses { text += course(of: loss, on: terminal) }
    for producer in run.producers {
      text += entry(
        run.producers.count == 1 ? "producer" : "producers",
        words(producer),
        on: terminal
      )
    }
    return text
  }

  private var span: String {
    let start = "\(run.createdAt.text), \(run.createdAt.age)"
    return run.hasFinishedAt ? "\(start); ended \(run.finishedAt.text)" : start
  }

  private var size: String {
    // A tensor that shares another's storage has no parameters of its own.
    let parameters = layers.lazy.flatMap(\.tensors).filter { !$0.tensor.hasTiedTo }
      .reduce(UInt64(0)) { $0 &+ $1.tensor.elementCount }
    return "\(run.layerCount) layers, \(run.tensorCount) tensors, "
      + "\(NumberText.scaled(parameters)) parameters"
  }

  private func course(
    of loss: Gradwatch_V1_GetLossTimelineResponse,
    on terminal: Terminal
  ) -> String {
    guard let last = loss.points.last.last else { return "" }
    let first = loss.points.mean.first ?? .nan
    return terminal.paint("  " + loss.name.truncated(to: Self.indentation - 3), .faint)
      .padded(loss.name.truncated(to: Self.indentation - 3).displayWidth + 2, to: Self.indentation)
      + terminal.paint(NumberText.short(last), NumberText.style(of: last)) + "  "
      + Sparkline.render(loss.points.peaks, columns: 40, on: terminal) + "  "
      + terminal.paint("from \(NumberText.short(first))", .faint) + "\n"
  }

  private func words(_ state: Gradwatch_V1_ProducerState) -> String {
    var parts = [state.producer.producerID]
    if state.producer.hasRank {
      let size = state.producer.hasWorldSize ? " of \(state.producer.worldSize)" : ""
      parts.append("rank \(state.producer.rank)\(size)")
    }
    parts.append(state.hasLastStep ? "durable to step \(state.lastStep)" : "no report yet")
    if state.hasLastReceivedAt { parts.append("heard \(state.lastReceivedAt.age)") }
    return parts.joined(separator: ", ")
  }

  /// Alerts that fired: open before resolved, the worst first, of equal ones the earliest, which is
  /// more likely a cause than a consequence.
  private var fired: [Gradwatch_V1_Alert] {
    alerts.filter { $0.hasFiredStep || $0.state.isOpen }.sorted { left, right in
      let (leftOpen, rightOpen) = (left.state.isOpen, right.state.isOpen)
      if leftOpen != rightOpen { return leftOpen }
      if left.severity != right.severity {
        return left.severity.rawValue > right.severity.rawValue
      }
      return (left.firstStep, left.alertID) < (right.firstStep, right.alertID)
    }
  }

  private func story(on terminal: Terminal) -> String {
    let fired = fired
    let open = fired.count(where: \.state.isOpen)
    let pending = alerts.filter { $0.state == .pending }
    var text: String
    if fired.isEmpty {
      text = terminal.paint("no alerts", .success) + "\n"
    } else {
      text =
        terminal.paint(
          "\(open) open, \(fired.count - open) resolved",
          open > 0 ? .emphasis : .success
        ) + "\n"
    }
    if !pending.isEmpty {
      let rules = Set(pending.map(\.rule)).sorted().joined(separator: ", ")
      text += terminal.paint("being watched: \(rules)", .faint) + "\n"
    }
    let place = AlertPlace(layers)
    for alert in fired {
      let paragraph = AlertParagraph(
        alert: alert,
        place: place,
        commandSuffix: commandSuffix
      )
      text += "\n" + paragraph.rendered(on: terminal)
    }
    if hasMoreAlerts {
      text += "\n" + terminal.paint("more alerts: collector-cli query alerts \(run.runID)") + "\n"
    }
    return text
  }

  private func entry(_ label: String, _ text: String, on terminal: Terminal) -> String {
    Paragraph.labelled(
      "  " + label,
      .faint,
      indentation: Self.indentation,
      text: text,
      on: terminal
    )
  }
}

extension String {
  /// Spaces behind a painted text whose own width is known.
  fileprivate func padded(_ width: Int, to columns: Int) -> String {
    self + String(repeating: " ", count: max(0, columns - width))
  }
}
