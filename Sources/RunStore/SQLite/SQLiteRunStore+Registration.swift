import GRDB
public import Telemetry

extension SQLiteRunStore {
  /// Registers a run and a producer in one transaction; a run that exists keeps project, framework
  /// and creation time, and its labels if the registration has none.
  ///
  /// If the page is torn that has the last models, those that come after stand before the first.
  public func register(
    _ registration: RunRegistration,
    at time: WallTime
  ) throws(RunStoreError) -> RegisteredRun {
    do throws(RunStoreError) {
      return try register(registration, at: time, modelAtFront: modelsGrowAtFront)
    } catch {
      guard case .damaged = error else { throw error }
      return try register(registration, at: time, modelAtFront: !modelsGrowAtFront)
    }
  }

  private func register(
    _ registration: RunRegistration,
    at time: WallTime,
    modelAtFront: Bool
  ) throws(RunStoreError) -> RegisteredRun {
    try write("register run \(registration.run)") { db in
      let key: Int64
      if let existing = try db.runKey(of: registration.run) {
        key = existing
        try Self.checkModel(of: registration, run: key, in: db)
        try Self.update(key, to: registration, in: db)
      } else {
        key = try Self.insert(registration, at: time, modelAtFront: modelAtFront, in: db)
      }
      try db.run(
        """
        INSERT INTO producers(run, id, rank, world_size) VALUES (?, ?, ?, ?)
        ON CONFLICT(run, id) DO UPDATE SET rank = excluded.rank, world_size = excluded.world_size
        """,
        .integer(key),
        .text(registration.producer.id.rawValue),
        .integer(registration.producer.rank.map(Int64.init)),
        .integer(registration.producer.worldSize.map(Int64.init))
      )
      let run = try db.firstRow(
        "SELECT \(RunRecord.columns) FROM runs WHERE key = ?",
        .integer(key)
      ) { try RunRecord($0, in: db) }
      guard let run,
        let producer = run.producers.first(where: { $0.producer.id == registration.producer.id })
      else { throw RunStoreError.unknownProducer(registration.run, registration.producer.id) }
      return RegisteredRun(run: run, producer: producer)
    }
  }

  private static func checkModel(
    of registration: RunRegistration,
    run key: Int64,
    in db: Database
  ) throws {
    let stored = try db.model(of: registration.run, key: key)
    guard let difference = ModelDifference(expected: stored, found: registration.model) else {
      return
    }
    throw RunStoreError.modelDiffers(
      run: registration.run,
      field: difference.field,
      expected: difference.expected,
      found: difference.found
    )
  }

  private static func update(
    _ key: Int64,
    to registration: RunRegistration,
    in db: Database
  ) throws {
    if try saysWhatItIs(registration, run: key, in: db) {
      let labels = labels(of: registration)
      try db.run(
        "UPDATE runs SET name = ?, labels = ? WHERE key = ?",
        .text(registration.name),
        .blob(labels.bytes),
        .integer(key)
      )
    }
    try db.run(
      "UPDATE runs SET status = ?, status_reason = '', finished_at = NULL WHERE key = ?",
      .integer(Int64(RunStatus.running.rawValue)),
      .integer(key)
    )
  }

  /// Whether a registration's labels take the place of those of its run.
  ///
  /// A rank may know no more than its run and itself; where labels can't be read a training does not wait for them.
  private static func saysWhatItIs(
    _ registration: RunRegistration,
    run key: Int64,
    in db: Database
  ) throws -> Bool {
    guard registration.name.isEmpty, registration.tags.isEmpty,
      registration.hyperparameters.isEmpty
    else { return true }
    let isReadable = try db.firstRow("SELECT labels FROM runs WHERE key = ?", .integer(key)) {
      (try? LabelsCodec.read($0.blob(0))) != nil
    }
    return isReadable != true
  }

  private static func insert(
    _ registration: RunRegistration,
    at time: WallTime,
    modelAtFront: Bool,
    in db: Database
  ) throws -> Int64 {
    let labels = labels(of: registration)
    // Not a key of which something is still there to be deleted.
    try db.run(
      """
      INSERT INTO runs(key, id, project, name, framework, status, status_reason, created_at,
        layer_count, tensor_count, labels)
      VALUES (
        1 + max(
          (SELECT coalesce(max(key), 0) FROM runs), (SELECT coalesce(max(run), 0) FROM deletions)
        ),
        ?, ?, ?, ?, ?, '', ?, ?, ?, ?)
      """,
      .text(registration.run.rawValue),
      .text(registration.project),
      .text(registration.name),
      .text(registration.framework),
      .integer(Int64(RunStatus.running.rawValue)),
      .real(time.seconds),
      .integer(Int64(registration.model.layers.count)),
      .integer(Int64(registration.model.tensors.count)),
      .blob(labels.bytes)
    )
    let key = db.lastInsertedRowID
    var model = ByteWriter()
    ModelCodec.write(registration.model, to: &model, Deflater())
    try db.run(
      "INSERT INTO models(run, body) VALUES (?, ?)",
      .integer(modelAtFront ? -key : key),
      .blob(model.bytes)
    )
    return key
  }

  private static func labels(of registration: RunRegistration) -> ByteWriter {
    var writer = ByteWriter()
    LabelsCodec.write(
      tags: registration.tags,
      hyperparameters: registration.hyperparameters,
      to: &writer
    )
    return writer
  }
}
