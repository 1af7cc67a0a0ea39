import TerminalOutput

/// An answer that comes in parts: written as it arrives for programs, as a whole for people.
protocol StreamedAnswer: Sendable {
  /// A message of the collector.
  associatedtype Part: AnswerPart

  /// Where it goes.
  var output: Output { get }
  /// Whether to draw it.
  var isPlot: Bool { get }
  /// The name of the list in a JSON document.
  var member: String { get }
  /// The columns for programs.
  var columns: [String] { get }
  /// The rows of a part, each with a field a column.
  func rows(of part: Part) -> [[DelimitedText.Field]]
  /// The drawing for people, of parts that are whole series.
  func drawing(of answer: [Part]) -> String
}

extension StreamedAnswer {
  /// Reads the answer with `read` and writes it.
  ///
  /// Nothing is written before the first part has come, so that a failed query leaves no empty
  /// answer.
  ///
  /// - Parameter read: Calls its argument with part after part.
  /// - Returns: Whether there was any part.
  /// - Throws: What `read` throws, and ``BrokenPipe`` if nobody reads the output any more.
  func write(
    _ read: (@escaping @Sendable (Part) throws -> Void) async throws -> Void
  ) async throws -> Bool {
    let parts = Parts<Part>()
    switch output.format {
    case _ where isPlot: try await read { parts.take($0) }
    case .json, .table: try await read { parts.take($0) }
    case .jsonl:
      let occurrence = Occurrence()
      try await read { part in
        occurrence.happen()
        try output.write(line: part)
      }
      return occurrence.hasHappened
    case .csv: return try await writeLines(as: .comma, read)
    case .tsv: return try await writeLines(as: .tab, read)
    }
    let answer = parts.messages
    if !isPlot, output.format == .json {
      let list = JSONText.array(try answer.map(Output.json))
      try output.write(document: JSONText.object([member: list]))
    } else if !answer.isEmpty {
      try output.write(isPlot ? drawing(of: answer) : table(of: answer))
    }
    return !answer.isEmpty
  }

  private func writeLines(
    as text: DelimitedText,
    _ read: (@escaping @Sendable (Part) throws -> Void) async throws -> Void
  ) async throws -> Bool {
    let header = text.header(columns)
    let occurrence = Occurrence()
    try await read { part in
      let lines = rows(of: part).map(text.line).joined()
      try output.write(occurrence.happen() ? header + lines : lines)
    }
    if !occurrence.hasHappened { try output.write(header) }
    return occurrence.hasHappened
  }

  private func table(of answer: [Part]) -> String {
    let rows = answer.flatMap(rows(of:))
    var table = Table(
      columns: columns.enumerated().map { index, name in
        if case .text = rows.first?[index] {
          .init(name.uppercased(), truncation: .middle)
        } else {
          .init(name.uppercased(), alignment: .trailing)
        }
      }
    )
    for row in rows { table.append(row.map(Table.Cell.init)) }
    return table.rendered(on: output.terminal)
  }
}
