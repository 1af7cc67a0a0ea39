import CZstd

/// Compresses parts of blobs with zstd, one after the other, in memory of its own.
///
/// Not for two threads at once: sealing has one, and each commit of a snapshot.
package final class Deflater {
  /// What a compression is to be good at.
  package enum Effort {
    /// Byte planes of floats: nothing is won by coding the noise of a mantissa, so only repeats are looked for.
    ///
    /// 256 floats in 2.7 µs; the standard level takes 8.6 for 1 % less.
    case repeats
    /// What is neither of the others: 256 histograms of 64 buckets, 24 KB, in 55 µs, to 44 %.
    case standard
    /// Alerts, which are few, and text for the most part: 4 % smaller than with the standard level.
    case thorough

    fileprivate var level: Int32 {
      switch self {
      case .repeats: -1
      case .standard: 1
      case .thorough: 9
      }
    }
  }

  /// Below this, a frame's own bytes eat what is won.
  package static let minimumSize = 64

  private let context = ZSTD_createCCtx()
  private var output = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  package init() {}

  deinit {
    ZSTD_freeCCtx(context)
    output.deallocate()
  }

  /// Compresses bytes.
  ///
  /// - Returns: Fewer bytes, valid until the next call; `nil` if they would not be fewer.
  package func deflate(
    _ bytes: UnsafeRawBufferPointer,
    _ effort: Effort
  ) -> UnsafeRawBufferPointer? {
    guard bytes.count >= Self.minimumSize, context != nil else { return nil }
    if output.count < bytes.count {
      output.deallocate()
      output = .allocate(byteCount: 2 * bytes.count, alignment: 16)
    }
    // What does not fit into one byte less than there was is an error, and left as it is.
    let size = ZSTD_compressCCtx(
      context,
      output.baseAddress,
      bytes.count - 1,
      bytes.baseAddress,
      bytes.count,
      effort.level
    )
    guard ZSTD_isError(size) == 0 else { return nil }
    return UnsafeRawBufferPointer(rebasing: output[..<size])
  }
}
