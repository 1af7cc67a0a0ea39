import Foundation

/// The present input, in memory that a file keeps even if the process ends at this very moment.
struct InputNote {
  private static let size = 64 << 20
  private static let header = 16
  private let memory: UnsafeMutableRawPointer

  /// Makes the file.
  init(_ path: String) throws {
    let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0, ftruncate(file, off_t(Self.size)) == 0,
      let memory = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
      memory != MAP_FAILED
    else { throw CocoaError(.fileWriteUnknown) }
    close(file)
    self.memory = memory
  }

  /// Notes an input before it is fed; of a very large one, as much as fits.
  func write(_ input: [UInt8], number: UInt64) {
    let count = min(input.count, Self.size - Self.header)
    memory.storeBytes(of: number, as: UInt64.self)
    memory.storeBytes(of: UInt64(count), toByteOffset: 8, as: UInt64.self)
    input.withUnsafeBytes { source in
      guard let base = source.baseAddress else { return }
      (memory + Self.header).copyMemory(from: base, byteCount: count)
    }
  }

  /// Reads what was noted last.
  static func read(_ path: String) throws -> (number: UInt64, input: [UInt8]) {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let numbers = data.prefix(header).withUnsafeBytes {
      ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    return (numbers.0, Array(data.dropFirst(header).prefix(Int(numbers.1))))
  }
}
