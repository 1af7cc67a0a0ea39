/// What sealing and deleting keep from one transaction to the next.
struct SealingState: ~Copyable {
  /// Producers whose oldest reports can't be sealed, because they are damaged.
  var paused: Set<Int64> = []
  /// Deleted runs of which something can't be removed, because the pages that lead to it are damaged.
  var undeletable: Set<Int64> = []
  /// Producers that are not rolled up any more, because what they would be made of is damaged.
  var withoutRollups: Set<Int64> = []
  /// Producers of which something may have to be rolled up; `nil`: the file was not searched for them yet.
  var rollupsDue: Set<Int64>?
  /// The free pages that are still to be given back after a deletion; `nil`: not counted yet.
  var pagesToGiveBack: Int64?
  /// The log's blobs of the segment, and its own.
  ///
  /// Kept, because fresh memory costs more than the copying (4,700 page faults a segment of 200
  /// tensors); bounded by ``SQLiteRunStore/Options/maximumSegmentBytes``.
  var log = ByteWriter()
  var segment = ByteWriter()
  let deflater = Deflater()
  let inflater = Inflater()
}
