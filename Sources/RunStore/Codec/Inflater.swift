import CZstd

/// Takes apart what a ``Deflater`` compressed, one part after the other, in memory of its own.
///
/// Not for two threads at once: each reader has its own.
package final class Inflater {
  /// Four times the most bytes of a segment: a size above it is no size.
  private static let maximumSize = 1 << 28

  private let context = ZSTD_createDCtx()
  private var output = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  /// The last arrays of one value, of which neighbouring chunks have the same.
  private var repeated: [[UInt64]] = []

  package init() {}

  deinit {
    ZSTD_freeDCtx(context)
    output.deallocate()
  }

  /// An array of one value, which those who ask for the same share.
  func repeating(_ value: UInt64, count: Int) -> [UInt64] {
    if let known = repeated.first(where: { $0.count == count && $0[0] == value }) { return known }
    let values = [UInt64](repeating: value, count: count)
    guard count > 0 else { return values }
    if repeated.count == 4 { repeated.removeFirst() }
    repeated.append(values)
    return values
  }

  /// Decompresses bytes.
  ///
  /// - Parameters:
  ///   - bytes: A frame, from a blob whose checksum was right.
  ///   - size: How many bytes it must be of.
  /// - Returns: The bytes, valid until the next call, as long as this object lives.
  /// - Throws: ``CodecError`` if it is no frame of `size` bytes.
  package func inflate(
    _ bytes: UnsafeRawBufferPointer,
    size: Int
  ) throws(CodecError) -> UnsafeRawBufferPointer {
    guard size <= Self.maximumSize, let context else {
      throw .unexpected(
        "compressed bytes",
        expected: "at most \(Self.maximumSize) bytes",
        found: "\(size)"
      )
    }
    if output.count < size {
      output.deallocate()
      output = .allocate(byteCount: size, alignment: 16)
    }
    let found = ZSTD_decompressDCtx(
      context,
      output.baseAddress,
      size,
      bytes.baseAddress,
      bytes.count
    )
    guard ZSTD_isError(found) == 0 else {
      throw .unexpected(
        "compressed bytes",
        expected: "a zstd frame of \(size) bytes",
        found: String(cString: ZSTD_getErrorName(found))
      )
    }
    guard found == size else {
      throw .unexpected("compressed bytes", expected: "\(size) bytes", found: "\(found)")
    }
    return UnsafeRawBufferPointer(rebasing: output[..<size])
  }
}
