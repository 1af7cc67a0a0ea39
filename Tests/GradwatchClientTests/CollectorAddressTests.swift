import GradwatchClient
import Testing

@Suite("Addresses of collectors")
struct CollectorAddressTests {
  @Test(
    "hosts, IP addresses and Unix sockets are taken, with a port or without",
    arguments: [
      ("gpu-7", "gpu-7:50151"), ("gpu-7:80", "gpu-7:80"), ("10.0.0.1", "10.0.0.1:50151"),
      ("::1", "[::1]:50151"), ("[::1]", "[::1]:50151"), ("[::1]:80", "[::1]:80"),
      ("fe80::1%eth0", "[fe80::1%eth0]:50151"), ("unix:/run/g.sock", "unix:/run/g.sock"),
    ]
  )
  func taken(text: String, description: String) throws {
    let address = try CollectorAddress(text)
    #expect(address.description == description)
    #expect(try CollectorAddress(address.description) == address)
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", ":80", "gpu-7:", "gpu-7:0", "gpu-7:65536", "gpu-7:x", "a/b", "a b", "unix:", "x::y",
    ]
  )
  func refused(text: String) {
    let error = AddressError(expected: "HOST:PORT or unix:PATH", found: "\"\(text)\"")
    #expect(throws: error) { try CollectorAddress(text) }
  }

  @Test("a socket's path must fit into its address")
  func longPath() throws {
    _ = try CollectorAddress("unix:" + String(repeating: "x", count: 103))
    #expect(
      throws: AddressError(
        expected: "a path of at most 103 bytes behind unix:",
        found: "104 bytes"
      )
    ) {
      try CollectorAddress("unix:" + String(repeating: "x", count: 104))
    }
  }
}
