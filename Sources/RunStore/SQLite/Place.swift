import GRDB
import Telemetry

/// Where stored bytes stand, in the words of an error.
struct Place: CustomStringConvertible {
  private var parts: [String]

  /// Something of a run.
  init(run: RunID, _ what: String? = nil) {
    parts = ["run \(run)"] + (what.map { [$0] } ?? [])
  }

  /// A producer, or something of it.
  init(run: RunID, producer: ProducerID, _ what: String? = nil) {
    parts = ["run \(run)", "producer \(producer)"] + (what.map { [$0] } ?? [])
  }

  /// Something beside runs.
  init(_ what: String) { parts = [what] }

  /// A part of this place.
  func adding(_ what: String) -> Place {
    var place = self
    place.parts.append(what)
    return place
  }

  /// The run first, the smallest part last.
  var description: String { parts.joined(separator: ", ") }

  /// Decodes stored bytes, and says where they stand if they can't be.
  func decode<Value>(_ body: () throws(CodecError) -> Value) throws(RunStoreError) -> Value {
    do {
      return try body()
    } catch {
      throw .damaged(place: description, detail: error.detail)
    }
  }

  /// The error of a row that is not there and should be.
  var lost: RunStoreError { .damaged(place: description, detail: CodecError.lost.detail) }

  /// What is wrong with a row whose page is torn.
  static let tornPage = "its page: expected one of SQLite's, found others' bytes"

  /// Reads rows, and says where they stand if their page is torn.
  func readTorn<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
      throw RunStoreError.damaged(place: description, detail: Self.tornPage)
    }
  }

  /// The name of a tensor or layer, or its index if the model can't be read.
  static func name(
    of subject: Metric.Subject,
    _ index: UInt32,
    run: Int64,
    in db: Database
  ) -> String {
    let kind = subject == .tensor ? "tensor" : "layer"
    let model = try? db.firstRow(Database.modelBody, .integer(run)) {
      try ModelCodec.read($0.blob(0))
    }
    let names =
      subject == .tensor ? model?.tensors.map(\.name) ?? [] : model?.layers.map(\.name) ?? []
    return Int(index) < names.count ? "\(kind) \(names[Int(index)])" : "\(kind) \(index)"
  }
}
