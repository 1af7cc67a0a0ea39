extension SQLiteRunStore {
  /// What can be chosen of a store; the defaults serve a collector of hundreds of runs.
  public struct Options: Sendable, Equatable {
    /// The most readers at once, at least 1; more wait. A slow reader of a stream holds one.
    public var maximumReaders = 8
    /// The pages that the write-ahead log holds before a commit moves them into the file.
    ///
    /// 16,384 pages of 16 KB are 256 MB. With 4 MB (and 4 KB pages) every commit pays for a part of it,
    /// and appending takes 1.7 times the CPU (measured, limits of the parts, 4).
    public var checkpointPages = 16_384
    /// How long a write waits for a lock that another program holds on the file, in seconds.
    public var busySeconds = 5.0
    /// The bytes of log that one segment may take, which bounds the memory of sealing: about twice
    /// this. Sealing makes shorter segments of models with more than a thousand histograms.
    public var maximumSegmentBytes = 64 << 20

    /// Takes the defaults.
    public init() {}
  }
}
