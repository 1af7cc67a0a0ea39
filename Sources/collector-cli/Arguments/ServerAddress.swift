import ArgumentParser

/// Where a collector listens.
struct ServerAddress: ExpressibleByArgument, CustomStringConvertible, Sendable, Equatable {
  /// The kinds of places.
  enum Place: Sendable, Equatable {
    /// A host name or IP address, and a port.
    case tcp(host: String, port: Int)
    /// A Unix socket.
    case unix(path: String)
  }

  var place: Place

  static let standard = ServerAddress(place: .tcp(host: "127.0.0.1", port: defaultPort))
  static let defaultPort = 50_151

  init(place: Place) { self.place = place }

  /// Takes `HOST:PORT`, `[IPV6]:PORT`, `HOST` or `unix:PATH`.
  init?(argument: String) {
    if argument.hasPrefix("unix:") {
      let path = String(argument.dropFirst("unix:".count))
      guard !path.isEmpty else { return nil }
      place = .unix(path: path)
      return
    }
    var host = argument[...]
    var port = Self.defaultPort
    let isBareIPv6 = !argument.hasPrefix("[") && argument.count(where: { $0 == ":" }) > 1
    if !isBareIPv6, let colon = argument.lastIndex(of: ":"), !argument.hasSuffix("]") {
      guard let number = Int(argument[argument.index(after: colon)...]), (1...65_535) ~= number
      else { return nil }
      host = argument[..<colon]
      port = number
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty, !host.contains("/"), !host.contains(" ") else { return nil }
    // A colon is left only in an IPv6 address, whose zone may be any text.
    let digits = host.prefix { $0 != "%" }
    guard !host.contains(":") || digits.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." })
    else { return nil }
    place = .tcp(host: String(host), port: port)
  }

  var description: String {
    switch place {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }
}
