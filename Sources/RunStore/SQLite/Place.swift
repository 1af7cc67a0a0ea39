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

  /// The name of a tensor or layer, or its index if the model can't be read.
  static func name(
    of subject: Metric.Subject,
    _ index: UInt32,
    run: Int64,
    in db: Database
  ) -> String {
    let kind = subject == .tensor ? "tensor" : "layer"
    let model = try? db.firstRow("SELECT body FROM models WHERE run = ?", .integer(run)) {
      try ModelCodec.read($0.blob(0))
    }
    let names =
      subject == .tensor ? model?.tensors.map(\.name) ?? [] : model?.layers.map(\.name) ?? []
    return Int(index) < names.count ? "\(kind) \(names[Int(index)])" : "\(kind) \(index)"
  }
}
