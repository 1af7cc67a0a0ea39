/// Where the collector listens on TCP.
struct Address: Sendable, Equatable, CustomStringConvertible {
  /// A host name or an IP address, without brackets.
  var host: String
  /// A port; 0 lets the system choose one.
  var port: Int

  /// Takes `HOST:PORT` or `[IPV6]:PORT`; `nil` for anything else.
  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"),
      let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port)
    else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty else { return nil }
    self.host = host
    self.port = port
  }

  /// Whether the host is an IPv6 address.
  var isIPv6: Bool { host.contains(":") }

  var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
