package import Foundation
import SwiftProtobuf
import SwiftProtobufPluginLibrary
import TelemetryWire

/// The descriptors of all protos, indexed for server reflection.
///
/// Made once from what `scripts/generate-protos` embedded.
package struct ReflectionIndex: Sendable {
  /// The index of this binary's protos; empty if what is embedded can't be read, which a test excludes.
  package static let embedded = ReflectionIndex(base64: EmbeddedDescriptors.base64)

  /// The full names of all services, sorted.
  package let services: [String]

  private struct File {
    var serialized: Data
    var dependencies: [String]
  }

  private let files: [String: File]
  private let fileOfSymbol: [String: String]

  package init(base64: String) {
    let bytes = Data(base64Encoded: base64) ?? Data()
    let set = (try? Google_Protobuf_FileDescriptorSet(serializedBytes: bytes)) ?? .init()
    var files: [String: File] = [:]
    var symbols: [String: String] = [:]
    var services: [String] = []
    for file in set.file {
      guard let serialized: Data = try? file.serializedBytes() else { continue }
      files[file.name] = File(serialized: serialized, dependencies: file.dependency)
      let prefix = file.package.isEmpty ? "" : file.package + "."
      for symbol in Self.symbols(of: file, prefix) { symbols[symbol] = file.name }
      services += file.service.map { prefix + $0.name }
    }
    self.files = files
    self.fileOfSymbol = symbols
    self.services = services.sorted()
  }

  /// The file and all that it imports, each serialized, the file first; `nil` if there is none.
  package func closure(ofFile name: String) -> [Data]? {
    guard files[name] != nil else { return nil }
    var seen: Set<String> = []
    var waiting = [name]
    var result: [Data] = []
    while let next = waiting.popLast() {
      guard seen.insert(next).inserted, let file = files[next] else { continue }
      result.append(file.serialized)
      waiting += file.dependencies
    }
    return result
  }

  /// The file that declares a symbol, and all that it imports; `nil` if there is none.
  package func closure(ofSymbol name: String) -> [Data]? {
    fileOfSymbol[name].flatMap { closure(ofFile: $0) }
  }

  private static func symbols(
    of file: Google_Protobuf_FileDescriptorProto,
    _ prefix: String
  ) -> [String] {
    var result = file.enumType.map { prefix + $0.name }
    for service in file.service {
      result.append(prefix + service.name)
      result += service.method.map { prefix + service.name + "." + $0.name }
    }
    var waiting = file.messageType.map { (prefix + $0.name, $0) }
    while let (name, message) = waiting.popLast() {
      result.append(name)
      result += message.field.map { name + "." + $0.name }
      result += message.enumType.map { name + "." + $0.name }
      waiting += message.nestedType.map { (name + "." + $0.name, $0) }
    }
    return result
  }
}
