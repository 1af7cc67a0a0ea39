import Foundation
public import Telemetry

/// A recorded training run, read from a file a step at a time.
///
/// ```swift
/// let trace = try TraceFile(path: "moons_relu.jsonl.gz")
/// while let report = try trace.nextReport() { judge(report) }
/// ```
/// The file has one JSON object a line, compressed with gzip or not: first the model and the
/// hyper-parameters, then one line a recorded step. Numbers that are not finite are the text `nan`,
/// `inf` or `-inf`, and `null` is what is not available. One line is held in memory at a time.
///
/// The trace's name and its ground truth (`run`, `label`) are not read, so that they can't reach
/// anything that judges the run.
public final class TraceFile {
  /// The model and what else the first line says.
  public let header: TraceHeader

  private let path: String
  private let reader: LineReader
  private let layout: TraceLayout
  private let decoder: JSONDecoder
  private var line = 1

  /// Opens a trace and reads its first line.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``TraceError`` if it can't be read, or its first line is not a trace's.
  public init(path: String) throws(TraceError) {
    self.path = path
    reader = try LineReader(path: path)
    decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    guard let text = try reader.next() else {
      throw .malformed(
        file: path,
        line: 1,
        field: "line",
        expected: "a trace's first line",
        found: "an empty file"
      )
    }
    do {
      let line = try decoder.decode(MetaLine.self, from: text)
      try line.check()
      let model = try TraceModel(line)
      header = try TraceHeader(line, model)
      layout = TraceLayout(line, model)
    } catch {
      throw TraceError(Mismatch(error), file: path, line: 1)
    }
  }

  /// The next recorded step, with sequence number 0; `nil` after the last.
  ///
  /// Counts, column lengths and ids fit the header's model; whether a histogram's counts add up is
  /// left to whoever takes the report.
  ///
  /// - Throws: ``TraceError`` for a line that is not a step's; the trace can't be read on.
  public func nextReport() throws(TraceError) -> StepReport? {
    while let text = try reader.next() {
      line += 1
      // An empty last line, as editors leave it.
      if text.isEmpty { continue }
      do {
        return try decoder.decode(StepLine.self, from: text).report(layout)
      } catch {
        throw TraceError(Mismatch(error), file: path, line: line)
      }
    }
    return nil
  }

  /// The name that a trace's file gives it: without its folder, `.jsonl` and `.gz`.
  public static func name(ofFile path: String) -> String {
    var name = path.split(separator: "/").last.map(String.init) ?? path
    for suffix in [".gz", ".jsonl"] where name.hasSuffix(suffix) && name.count > suffix.count {
      name.removeLast(suffix.count)
    }
    return name
  }
}

extension TraceError {
  init(_ mismatch: Mismatch, file: String, line: Int) {
    self = .malformed(
      file: file,
      line: line,
      field: mismatch.field,
      expected: mismatch.expected,
      found: mismatch.found
    )
  }
}
