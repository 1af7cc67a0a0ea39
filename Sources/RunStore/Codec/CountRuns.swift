/// The runs of counts of a chunk of histograms, as versions 1 and 2 have them, checked but not decoded.
struct CountRuns {
  private struct Run {
    var length: Int
    var widths = 0
    var values = 0
  }

  private var runs: [Run]
  private let bytes: UnsafeRawBufferPointer

  /// Makes runs of some lengths, which are still to be found.
  init(_ lengths: [Int], in bytes: UnsafeRawBufferPointer) {
    runs = lengths.map { Run(length: $0) }
    self.bytes = bytes
  }

  /// Finds runs that follow one another, each its widths and then its counts.
  mutating func readInterleaved(from reader: inout ByteReader) throws(CodecError) {
    for index in runs.indices {
      runs[index].widths = try CountRun.skip(runs[index].length, in: &reader)
      runs[index].values = runs[index].widths + CountRun.widthsSize(runs[index].length)
    }
  }

  /// Finds the widths of all runs.
  mutating func readWidths(from reader: inout ByteReader) throws(CodecError) {
    for index in runs.indices {
      runs[index].widths = try reader.take(CountRun.widthsSize(runs[index].length))
    }
  }

  /// Finds the counts of all runs, whose widths were found.
  mutating func readValues(from reader: inout ByteReader) throws(CodecError) {
    for index in runs.indices {
      let (length, widths) = (runs[index].length, runs[index].widths)
      let size = try CountRun.size(of: length, widths: widths, in: reader.bytes)
      runs[index].values = try reader.take(size)
    }
  }

  /// Calls `body` with the counts of each run, in order; they are valid during the call.
  func forEach(_ body: (_ run: Int, _ counts: UnsafeBufferPointer<UInt64>) -> Void) {
    let longest = runs.reduce(0) { Swift.max($0, $1.length) }
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: longest) { counts in
      guard let base = counts.baseAddress else { return }
      for (index, run) in runs.enumerated() {
        CountRun.decode(run.length, widths: run.widths, values: run.values, in: bytes, into: base)
        body(index, UnsafeBufferPointer(start: base, count: run.length))
      }
    }
  }
}
