/// A setting that can't be used; the operator corrects it.
struct SettingError: Error, CustomStringConvertible {
  /// The file and the place in it, if it is from one.
  var place: String?
  /// The setting's name, as in a file.
  var name: String
  /// What it has to be.
  var expected: String
  /// What it is.
  var found: String

  var description: String {
    (place.map { "\($0): " } ?? "") + "setting \(name): expected \(expected), found \(found)"
  }
}

/// What kept the collector from serving, or from doing what a command asks, in one line.
struct StartupError: Error, CustomStringConvertible {
  var description: String
  /// The exit status.
  var status: Int32 = 1
}
