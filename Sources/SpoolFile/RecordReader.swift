import CZlib
import Foundation
import SwiftProtobuf
import TelemetryWire

/// Reads the records of a spool, one at a time.
///
/// ```
/// ┌──────────────┐ ┌─────────────┬────────────┬──────────────────────┐
/// │ GWSPOOL1 <8> │ │ length <4b> │ CRC32 <4b> │ SpoolRecord <length> │ …
/// └──────────────┘ └─────────────┴────────────┴──────────────────────┘
/// ```
/// Numbers are little-endian.
final class RecordReader {
  /// What a spool begins with.
  static let magic = Array("GWSPOOL1".utf8)
  /// The most bytes that a record may take.
  ///
  /// Eight times the largest message that a collector takes, so that a length above it is no length.
  static let maximumRecordBytes: UInt32 = 256 << 20

  /// Bytes that are read at once: memory is taken for what a file has, not for what a length says.
  private static let pieceBytes = 1 << 20
  private static let headerBytes = 8

  private let path: String
  private let file: Int32
  /// Where the record begins that was read last, or is being read.
  private var start: UInt64 = 0
  private var position: UInt64 = 0

  /// Opens a file that begins as a spool does.
  init(path: String) throws(SpoolError) {
    self.path = path
    file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw unreadable(errno) }
    let found = try read(Self.magic.count)
    guard found == Self.magic else {
      let words =
        switch found.count {
        case 0: "an empty file"
        case Self.magic.count: "others"
        default: "\(found.count) bytes"
        }
      throw damaged("expected the first bytes of a spool, GWSPOOL1, found \(words)")
    }
  }

  deinit { _ = close(file) }

  /// The next record; `nil` if the file ends behind the last one.
  func next() throws(SpoolError) -> Gradwatch_V1_SpoolRecord.OneOf_Record? {
    start = position
    let header = try read(Self.headerBytes)
    guard !header.isEmpty else { return nil }
    guard header.count == Self.headerBytes else {
      throw damaged(
        "record: expected \(Self.headerBytes) bytes of length and checksum, found \(header.count)",
        isCutOff: true
      )
    }
    let (length, checksum) = header.withUnsafeBytes {
      (
        UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)),
        UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
      )
    }
    guard length <= Self.maximumRecordBytes else {
      throw damaged("length: expected at most \(Self.maximumRecordBytes), found \(length)")
    }
    let bytes = try read(Int(length))
    // A length that is damaged may reach beyond the end of the file.
    if bytes.count < length, let told = Self.length(ofRecord: bytes), told != length {
      throw damaged("length: expected \(told), as the record says, found \(length)")
    }
    guard bytes.count == length else {
      throw damaged("record: expected \(length) bytes, found \(bytes.count)", isCutOff: true)
    }
    let found = UInt32(truncatingIfNeeded: crc32(0, bytes, length))
    guard found == checksum else {
      throw damaged(
        "checksum: expected \(Self.hexadecimal(checksum)), found \(Self.hexadecimal(found))"
      )
    }
    guard let record = try? Gradwatch_V1_SpoolRecord(serializedBytes: bytes).record else {
      throw damaged("record: expected a registration, a report or an ending, found none of them")
    }
    return record
  }

  /// An error of the record that was read last.
  func damaged(_ problem: String, isCutOff: Bool = false) -> SpoolError {
    .damaged(
      file: path,
      SpoolDamage(isCutOff: isCutOff, offset: start, problem: problem)
    )
  }

  /// Reads so many bytes; fewer only at the file's end.
  private func read(_ count: Int) throws(SpoolError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let filled = bytes.count
      bytes += repeatElement(0, count: min(count - filled, Self.pieceBytes))
      let found = bytes.withUnsafeMutableBytes {
        Foundation.read(file, $0.baseAddress?.advanced(by: filled), $0.count - filled)
      }
      guard found >= 0 || errno == EINTR else { throw unreadable(errno) }
      bytes.removeLast(bytes.count - filled - max(found, 0))
      position += UInt64(max(found, 0))
      if found == 0 { break }
    }
    return bytes
  }

  /// The length of a record as its first bytes tell it, which are those of the one message in it; `nil` if they are too few.
  private static func length(ofRecord bytes: [UInt8]) -> UInt64? {
    var length: UInt64 = 0
    for (index, byte) in bytes.dropFirst().prefix(5).enumerated() {
      length |= UInt64(byte & 0x7f) << (7 * index)
      if byte < 0x80 { return length + UInt64(index) + 2 }
    }
    return nil
  }

  private func unreadable(_ code: Int32) -> SpoolError {
    .unreadable(file: path, reason: String(cString: strerror(code)))
  }

  private static func hexadecimal(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
