/// Which tensors and layers have chunks in a segment or a rollup.
///
/// One that should be there and is not found was lost: a page of which half is torn may look whole to SQLite, and what was in that
/// half as if it had never been. `Format.md` draws it.
package struct SegmentContents: Equatable {
  /// Offsets from the first key, ascending.
  package struct Offsets: Equatable {
    /// Those that follow each other.
    fileprivate var runs: [Range<Int64>] = []

    /// Makes a set.
    package init(_ offsets: [Int64] = []) {
      for offset in offsets.sorted() {
        if let last = runs.last, offset <= last.upperBound {
          runs[runs.count - 1] = last.lowerBound..<Swift.max(offset + 1, last.upperBound)
        } else {
          runs.append(offset..<offset + 1)
        }
      }
    }

    /// The number of offsets.
    var count: Int { runs.reduce(0) { $0 + $1.count } }

    /// Whether an offset is in it.
    func contains(_ offset: Int64) -> Bool {
      var (low, high) = (0, runs.count)
      while low < high {
        let middle = (low + high) / 2
        if runs[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
      }
      return low < runs.count && runs[low].contains(offset)
    }

    fileprivate func write(to writer: inout ByteWriter) {
      writer.append(varint: UInt64(runs.count))
      var end: Int64 = 0
      for run in runs {
        writer.append(varint: UInt64(run.lowerBound - end))
        writer.append(varint: UInt64(run.count))
        end = run.upperBound
      }
    }

    fileprivate static func read(from reader: inout ByteReader) throws(CodecError) -> Offsets {
      let count = try reader.readVarint()
      guard count <= reader.remaining / 2 else {
        throw .unexpected("runs", expected: "at most \(reader.remaining / 2)", found: "\(count)")
      }
      var offsets = Offsets()
      var end: Int64 = 0
      for index in 0..<count {
        let (gap, length) = (try reader.readVarint(), try reader.readVarint())
        let room = UInt64(ChunkKey.span - end)
        guard gap <= room, length >= 1, length <= room - gap, gap >= 1 || index == 0 else {
          throw .unexpected("run \(index)", expected: "in \(room)", found: "\(length) after \(gap)")
        }
        let start = end + Int64(gap)
        end = start + Int64(length)
        offsets.runs.append(start..<end)
      }
      return offsets
    }
  }

  /// Those that have statistics.
  package var chunks: Offsets
  /// Those that have histograms.
  package var histograms: Offsets

  /// Makes both sets.
  package init(chunks: [Int64] = [], histograms: [Int64] = []) {
    self.chunks = Offsets(chunks)
    self.histograms = Offsets(histograms)
  }

  /// Appends both sets.
  package func write(to writer: inout ByteWriter) {
    BlobFrame.write(to: &writer) { (writer: inout ByteWriter) in
      chunks.write(to: &writer)
      histograms.write(to: &writer)
    }
  }

  /// Reads both sets.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(to:)`` doesn't write.
  package static func read(
    _ bytes: UnsafeRawBufferPointer
  ) throws(CodecError) -> SegmentContents {
    var reader = try BlobFrame.open(bytes)
    var contents = SegmentContents()
    contents.chunks = try Offsets.read(from: &reader)
    contents.histograms = try Offsets.read(from: &reader)
    try reader.finish()
    return contents
  }
}
