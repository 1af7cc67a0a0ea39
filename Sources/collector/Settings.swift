import CollectorService
import Configuration
import Foundation
import Logging

/// What an operator set: flags count before `GRADWATCH_*`, and those before the file.
struct Settings: Sendable {
  /// Where to listen on TCP; `nil`: not at all.
  var listen: Address?
  /// Where to listen on a Unix socket; `nil`: not at all.
  var unixSocket: String?
  /// The database file; it is made if it does not exist.
  var database: String
  /// The least severe log messages that are written.
  var logLevel: Logger.Level
  /// The collector's own options.
  var options: CollectorOptions

  /// The address if nobody sets one.
  static let defaultListen = "127.0.0.1:50151"
  /// The database if nobody sets one, in the current folder.
  static let defaultDatabase = "gradwatch.sqlite"

  /// All that may be set, by the names that flags and files use.
  static let names = [
    "listen", "unix-socket", "database", "log-level", "stream-credits", "max-message-bytes",
    "max-pending-bytes", "max-live-producers", "max-live-tensors",
  ]

  /// Reads the settings from flags, environment and file.
  ///
  /// - Parameters:
  ///   - flags: The settings given as flags, by name.
  ///   - file: A YAML file of settings; `nil`: none.
  /// - Throws: ``SettingError`` for a value that can't be used, or a file that can't be read.
  init(flags: [String: String], file: String?) throws {
    let source = SettingSource(
      ConfigReader(
        providers: [
          InMemoryProvider(texts: flags),
          EnvironmentVariablesProvider().prefixKeys(with: "gradwatch"),
          InMemoryProvider(texts: try file.map { try SettingsFile(path: $0).values } ?? [:]),
        ]
      )
    )

    let listen = source.text("listen") ?? Self.defaultListen
    if listen != "none" {
      guard let address = Address(listen) else {
        throw SettingError(name: "listen", expected: "HOST:PORT, or none", found: listen)
      }
      self.listen = address
    }
    unixSocket = source.text("unix-socket")
    if let unixSocket, unixSocket.utf8.count > 103 {
      // The shortest sun_path of the systems we run on, less the terminating zero.
      throw SettingError(
        name: "unix-socket",
        expected: "a path of at most 103 bytes",
        found: "\(unixSocket.utf8.count) bytes"
      )
    }
    guard self.listen != nil || unixSocket != nil else {
      throw SettingError(
        name: "listen",
        expected: "an address if there is no unix-socket",
        found: "none"
      )
    }
    database = source.text("database") ?? Self.defaultDatabase
    let level = source.text("log-level") ?? "info"
    guard let logLevel = Logger.Level(rawValue: level) else {
      throw SettingError(
        name: "log-level",
        expected: Logger.Level.allCases.map(\.rawValue).joined(separator: ", "),
        found: level
      )
    }
    self.logLevel = logLevel

    var options = CollectorOptions()
    try source.read("stream-credits", 1...65_536, into: &options.streamCredits)
    try source.read("max-message-bytes", 4096...1 << 30, into: &options.maximumMessageBytes)
    try source.read("max-pending-bytes", 1 << 20...1 << 40, into: &options.maximumPendingBytes)
    try source.read("max-live-producers", 1...1 << 20, into: &options.maximumLiveProducers)
    // At least one model of the largest size.
    try source.read("max-live-tensors", 1 << 18...1 << 32, into: &options.maximumLiveTensors)
    self.options = options
  }
}

extension InMemoryProvider {
  /// Settings as texts, by name.
  fileprivate init(texts: [String: String]) {
    self.init(
      values: Dictionary(
        uniqueKeysWithValues: texts.map { name, text in
          (AbsoluteConfigKey([name]), ConfigValue(.string(text), isSecret: false))
        }
      )
    )
  }
}

/// Reads settings by name, wherever they come from.
private struct SettingSource {
  private let reader: ConfigReader

  init(_ reader: ConfigReader) { self.reader = reader }

  /// A setting as text; `nil` if nobody set it.
  func text(_ name: String) -> String? { reader.string(forKey: ConfigKey([name])) }

  /// Takes a whole number, if somebody set it.
  func read(_ name: String, _ range: ClosedRange<Int>, into value: inout Int) throws {
    let key = ConfigKey([name])
    guard let found = reader.string(forKey: key) else { return }
    guard let number = Int(found), range.contains(number) else {
      throw SettingError(
        name: name,
        expected: "a whole number from \(range.lowerBound) to \(range.upperBound)",
        found: found
      )
    }
    value = number
  }
}
