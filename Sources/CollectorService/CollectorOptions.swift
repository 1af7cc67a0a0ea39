/// What an operator may set of a collector, and its limits; the defaults are here and nowhere else.
public struct CollectorOptions: Sendable, Equatable {
  /// The most reports of one stream that may be accepted and not durable yet.
  ///
  /// With 32 in flight a stream has its full speed; twice that rides out a slow fsync.
  public var streamCredits = 64
  /// Bytes of reports of all streams that may wait for the disk.
  public var maximumPendingBytes = 128 << 20
  /// The largest message, in bytes after decompression: a report of 131,072 tensors with 7 statistics and
  /// 40 buckets each takes about 16 MiB.
  public var maximumMessageBytes = 32 << 20
  /// Producers whose detectors are held in memory; others are rebuilt when they report again.
  public var maximumLiveProducers = 8192
  /// Tensors and layers of all producers whose detectors are held in memory, besides.
  ///
  /// One takes 200 to 300 bytes. The default is that of a thousand models of 2,000 tensors in as many layers.
  public var maximumLiveTensors = 4 << 20
  /// Seconds without a report or a stream after which a producer is not held in memory any more.
  ///
  /// A day, in which the rule that watches for silence has spoken. A producer of 150 tensors takes about 150 KB.
  public var silentSeconds = 86_400.0
  /// Accepted reports of a producer between two snapshots of its detector, after which they are sealed.
  public var snapshotInterval = 256
  /// Alert transitions held for live subscribers; one that falls further behind is cut off.
  public var alertFeedCapacity = 4096
  /// The least seconds between keepalive pings of a client.
  public var minimumKeepaliveSeconds = 10
  /// Seconds between the ticks by which rules watch for silence.
  public var tickSeconds = 1.0

  /// The most entries of a page of a listing.
  public static let maximumPageSize = 1000
  /// The entries of a page if the client does not say.
  public static let defaultPageSize = 100
  /// The most runs, projects or rules that a filter may name.
  static let maximumFilterEntries = 1000
  /// Points of a series in one message at full resolution: 16,384 take 160 KiB.
  public static let pointsPerMessage = 16_384
  /// The most points of a series that a client may ask to have it reduced to.
  public static let maximumPoints = 100_000
  /// Message encodings that are accepted.
  public static let compression = ["gzip", "deflate"]
  /// This version of the collector.
  public static let version = "0.1.0"

  /// What a stream's reports are taken to hold before the first has come: those of 100 tensors with histograms of 64 buckets.
  static let presumedReportBytes = 64 << 10

  /// Makes the defaults.
  public init() {}

  /// How many reports a client may have under way on one stream, so that those of all streams have room together.
  ///
  /// Each stream has an equal share of the bytes that may wait for the disk, but at least two reports: one is on its way while the
  /// other becomes durable. What has no room in the collector is then held by clients, who know how to drop; without
  /// that, a thousand streams on a slow disk would have it held by the network's buffers of the collector, beside every bound.
  ///
  /// - Parameters:
  ///   - streams: The open streams.
  ///   - reportBytes: About how much memory a report of this stream holds.
  /// - Returns: 1 or more.
  package func credits(streams: Int, reportBytes: Int) -> Int {
    let share = maximumPendingBytes / Swift.max(streams, 1)
    return Swift.min(streamCredits, Swift.max(share / Swift.max(reportBytes, 1), 2))
  }
}
