import Foundation

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

  /// The same with the IP address that the host name stands for.
  ///
  /// IPv4 comes before IPv6, so that whoever is told 127.0.0.1 finds what listens on localhost.
  ///
  /// - Throws: ``StartupError`` if the name has no address.
  func resolved() throws(StartupError) -> Address {
    var status: Int32 = 0
    for family in [AF_INET, AF_INET6] {
      var hints = addrinfo()
      hints.ai_family = family
      var list: UnsafeMutablePointer<addrinfo>?
      status = getaddrinfo(host, nil, &hints, &list)
      guard status == 0, let first = list?.pointee else { continue }
      defer { freeaddrinfo(list) }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let length = socklen_t(text.count)
      status = getnameinfo(
        first.ai_addr,
        first.ai_addrlen,
        &text,
        length,
        nil,
        0,
        NI_NUMERICHOST
      )
      guard status == 0 else { continue }
      var resolved = self
      let digits = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      resolved.host = String(decoding: digits, as: UTF8.self)
      return resolved
    }
    throw StartupError(
      description: "listen on \(self): expected a host name or an IP address of this machine: "
        + String(cString: gai_strerror(status)).lowercased()
    )
  }

  var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
