public import Telemetry

/// What a store could not do.
public enum RunStoreError: Error, Equatable, Sendable {
  /// The run is not in the store. The caller names another or registers it.
  case unknownRun(RunID)
  /// The run has no such producer. The caller names another or registers it.
  case unknownProducer(RunID, ProducerID)
  /// A run was registered again with another model. The caller chooses another run identifier.
  case modelDiffers(run: RunID, field: String, expected: String, found: String)
  /// A report is not the one after its producer's last: a broken invariant of the caller.
  case sequenceConflict(run: RunID, producer: ProducerID, expected: UInt64, found: UInt64)
  /// The file was written by a newer Gradwatch. The operator installs that version.
  case newerVersion(path: String, found: String, supported: String)
  /// Stored bytes can't be read back. The operator repairs; what is elsewhere can still be read.
  case damaged(place: String, detail: String)
  /// Another process holds the file open for writing. The operator stops one of the two.
  case inUse(path: String)
  /// The file can't be opened or made. The operator gives another path or permission.
  case cannotOpen(path: String, detail: String)
  /// The disk is full, or input or output failed. Nothing of the operation was kept; retry later.
  case unavailable(operation: String, detail: String)
}

extension RunStoreError: CustomStringConvertible {
  /// What was being done, where, the expected and the found, as one fragment.
  public var description: String {
    switch self {
    case .unknownRun(let run): "run \(run): not in the store"
    case .unknownProducer(let run, let producer):
      "run \(run): no producer \(producer) is registered"
    case .modelDiffers(let run, let field, let expected, let found):
      "run \(run): registered before with another model: \(field): expected \(expected), found \(found)"
    case .sequenceConflict(let run, let producer, let expected, let found):
      "run \(run), producer \(producer): report \(found): expected sequence number \(expected)"
    case .newerVersion(let path, let found, let supported):
      "database \(path): written by a newer version (schema \(found)): this one supports up to \(supported)"
    case .damaged(let place, let detail): "\(place): damaged: \(detail)"
    case .inUse(let path): "database \(path): in use by another collector"
    case .cannotOpen(let path, let detail): "database \(path): cannot be opened: \(detail)"
    case .unavailable(let operation, let detail): "\(operation): \(detail)"
    }
  }
}
