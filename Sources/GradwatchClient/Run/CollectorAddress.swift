import Foundation

/// Where a collector listens.
public struct CollectorAddress: CustomStringConvertible, Sendable, Equatable {
  /// The kinds of places.
  public enum Place: Sendable, Equatable {
    /// A host name or an IP address without brackets, and a port.
    case tcp(host: String, port: Int)
    /// A Unix socket.
    case unix(path: String)
  }

  /// Where that is.
  public let place: Place

  /// Where a collector listens unless told otherwise.
  public static let standard = CollectorAddress(place: .tcp(host: "127.0.0.1", port: defaultPort))
  private static let defaultPort = 50_151
  private static let variable = "GRADWATCH_ADDRESS"
  /// The shortest `sun_path` of the systems we run on, less the terminating zero.
  private static let longestPath = 103

  private init(place: Place) { self.place = place }

  /// Takes `HOST:PORT`, `[IPV6]:PORT`, `HOST`, `IPV6` or `unix:PATH`.
  ///
  /// - Throws: ``AddressError`` for anything else.
  public init(_ text: String) throws(AddressError) {
    guard let place = try Self.place(text) else {
      throw AddressError(
        expected: "HOST:PORT or unix:PATH",
        found: "\"\(text)\""
      )
    }
    self.place = place
  }

  /// The address that the environment variable `GRADWATCH_ADDRESS` names, else the standard one.
  ///
  /// - Throws: ``AddressError`` if the variable names one that can't be used.
  public static func ofEnvironment() throws(AddressError) -> CollectorAddress {
    guard let text = ProcessInfo.processInfo.environment[variable], !text.isEmpty else {
      return .standard
    }
    do {
      return try CollectorAddress(text)
    } catch {
      throw AddressError(place: variable, expected: error.expected, found: error.found)
    }
  }

  /// As ``init(_:)`` takes it, always with a port.
  public var description: String {
    switch place {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

  private static func place(_ text: String) throws(AddressError) -> Place? {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst("unix:".count))
      guard path.utf8.count <= longestPath else {
        throw AddressError(
          expected: "a path of at most \(longestPath) bytes behind unix:",
          found: "\(path.utf8.count) bytes"
        )
      }
      return path.isEmpty ? nil : .unix(path: path)
    }
    var host = text[...]
    var port = defaultPort
    let isBareIPv6 = !text.hasPrefix("[") && text.count(where: { $0 == ":" }) > 1
    if !isBareIPv6, let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
      guard let number = Int(text[text.index(after: colon)...]), (1...65_535) ~= number
      else { return nil }
      host = text[..<colon]
      port = number
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty, !host.contains(where: { $0 == "/" || $0.isWhitespace }) else { return nil }
    // A colon is left only in an IPv6 address, whose zone may be any text.
    let digits = host.prefix { $0 != "%" }
    guard !host.contains(":") || digits.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." })
    else { return nil }
    return .tcp(host: String(host), port: port)
  }
}
