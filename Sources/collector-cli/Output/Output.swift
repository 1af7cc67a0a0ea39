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

  init(_ options: OutputOptions) {
    terminal = Terminal(color: options.color)
    chosenFormat = options.output
    format = options.output ?? (terminal.isInteractive ? .table : .tsv)
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
    case .csv: try write(messages, columns, row, as: .comma)
    case .tsv: try write(messages, columns, row, as: .tab)
    }
  }

  private func write<Record: Message>(
    _ messages: [Record],
    _ columns: [String],
    _ row: (Record) -> [DelimitedText.Field],
    as text: DelimitedText
  ) throws {
    try write(text.header(columns) + messages.map { text.line(row($0)) }.joined())
  }
}
