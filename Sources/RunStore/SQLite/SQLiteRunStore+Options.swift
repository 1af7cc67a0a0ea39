extension SQLiteRunStore {
  /// What can be chosen of a store; the defaults serve a collector of hundreds of runs.
  public struct Options: Sendable, Equatable {
    /// The most readers at once, at least 1.
    ///
    /// More wait. A body that a read function calls holds one while it runs.
    public var maximumReaders = 8
    /// The pages of a write-ahead log that is long: one that is begun anew when nothing of it is left to move into the file.
    ///
    /// 1,024 pages of 16 KB are 16 MB. An eighth of them at a time is moved beside the commits (``Checkpointer``). A commit that
    /// moved them all made those that waited for it take 24 ms, with 16,384 pages 356 ms; the CPU is the same. With 512 it was a
    /// tenth more. (Measured: 200 tensors, groups of 8 reports, sealing on, two cores that others used too.)
    public var checkpointPages = 1024
    /// How long a write waits for a lock that another program holds on the file, in seconds.
    public var busySeconds = 5.0
    /// The bytes of log after which a segment ends before it has 256 rows.
    ///
    /// It bounds the memory of sealing, which is about twice this. 1,500 tensors with histograms of
    /// 64 buckets fill 256 rows.
    public var maximumSegmentBytes = 64 << 20
    /// The bytes that one transaction of sealing writes, about; one that takes reports out of the log takes four times as many.
    ///
    /// Commits wait as long as it takes: 4 ms of 1 MB, and 7 ms where all of a segment's reports were taken out of the log at once.
    /// (200 tensors, 500 steps a second, two cores that others used too.)
    public var sealingSliceBytes = 1 << 19
    /// The bytes that one slice of a deletion frees, about.
    ///
    /// Commits wait as long as a slice takes. With 4 MB, deleting 664 MB took 2.5 s, in which another run's
    /// ack took 8.4 ms instead of 3.5 (median; 99 of 100: 86 instead of 40; longest: 206 instead of 80).
    public var deletionSliceBytes = 1 << 20
    /// The bytes of free pages that stay in the file after a deletion: the log of the runs in progress
    /// takes and frees as much all the time.
    public var keptFreeBytes = 64 << 20

    /// Takes the defaults.
    public init() {}
  }
}
