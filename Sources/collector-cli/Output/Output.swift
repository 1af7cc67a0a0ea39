import SwiftProtobuf
import TerminalOutput

/// Where an answer goes, and in what form.
struct Output: Sendable {
  /// What standard output can show.
  let terminal: Terminal
  /// What the person chose; `nil` if nothing.
  let chosenFormat: OutputFormat?
  /// The form to write.
  let format: OutputFormat

  init(_ options: OutputOptions) { self.init(options.output, options.color) }

  init(_ options: DocumentOptions) { self.init(options.output?.format, options.color) }

  private init(_ chosen: OutputFormat?, _ color: ColorChoice) {
    terminal = Terminal(color: color)
    chosenFormat = chosen
    format = chosen ?? (terminal.isInteractive ? .table : .tsv)
  }

  /// Writes text to standard output.
  func write(_ text: String) throws { try StandardOutput.write(text) }

  /// Writes a JSON document, set for people.
  func write(document: String) throws { try write(JSONText.indented(document) + "\n") }

  /// Writes one line of JSON.
  func write(line message: some Message) throws { try write(Self.json(message) + "\n") }

  /// A message in protobuf's JSON mapping, its maps in a stable order.
  static func json(_ message: some Message) throws -> String {
    var options = JSONEncodingOptions()
    options.useDeterministicOrdering = true
    return try message.jsonString(options: options)
  }

  /// Writes records in the form asked for, with `table` for people.
  ///
  /// - Parameters:
  ///   - messages: The records.
  ///   - member: The name of the list in a JSON document.
  ///   - columns: The names of the columns for programs.
  ///   - row: One record's fields, in the columns' order.
  ///   - table: The text for people.
  /// - Throws: ``BrokenPipe`` if nobody reads any more.
  func write<Record: Message>(
    _ messages: [Record],
    member: String,
    columns: [String],
    row: (Record) -> [DelimitedText.Field],
    table: () -> String
  ) throws {
    switch format {
    case .table: try write(table())
    case .json:
      try write(document: JSONText.object([member: JSONText.array(try messages.map(Self.json))]))
    case .jsonl: for message in messages { try write(line: message) }
    case .csv, .tsv: try write(columns: columns, rows: messages.map(row))
    }
  }

  /// Writes values for people, each with its name in front.
  func write(labelled entries: [(name: String, value: String)]) throws {
    let width = entries.map(\.name.count).max() ?? 0
    try write(
      entries.map { entry in
        Paragraph.labelled(
          entry.name,
          .faint,
          indentation: width + 2,
          text: entry.value,
          on: terminal
        )
      }.joined()
    )
  }

  /// Writes rows of fields for programs, below a line of names.
  func write(columns: [String], rows: [[DelimitedText.Field]]) throws {
    let text: DelimitedText = format == .csv ? .comma : .tab
    try write(text.header(columns) + rows.map(text.line).joined())
  }
}
