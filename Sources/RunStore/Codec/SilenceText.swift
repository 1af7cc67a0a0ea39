import Foundation
import Telemetry

/// Silences as text that a person can read in the database: JSON with sorted keys.
enum SilenceText {
  /// Writes a silence.
  static func write(_ silence: Silence) throws(CodecError) -> String {
    try JSONText.write(Form(silence))
  }

  /// Reads a silence.
  ///
  /// - Throws: ``CodecError`` if it is no JSON of this form.
  static func read(_ text: String) throws(CodecError) -> Silence {
    try JSONText.read(Form.self, from: text).silence
  }

  private struct Form: Codable {
    var id: String
    var rule: String?
    var project: String?
    var run: String?
    var layer: String?
    var endsAt: Double
    var createdAt: Double
    var author: String
    var comment: String?

    init(_ silence: Silence) {
      id = silence.id
      rule = silence.rule?.rawValue
      project = silence.project
      run = silence.run?.rawValue
      layer = silence.layer
      endsAt = silence.endsAt.seconds
      createdAt = silence.createdAt.seconds
      author = silence.author
      comment = silence.comment
    }

    var silence: Silence {
      var silence = Silence(
        id: id,
        endsAt: WallTime(clamping: endsAt),
        createdAt: WallTime(clamping: createdAt),
        author: author,
        comment: comment ?? ""
      )
      silence.rule = rule.map(RuleID.init)
      silence.project = project
      silence.run = run.map { RunID(stored: $0) }
      silence.layer = layer
      return silence
    }
  }
}
