import Foundation
import RunStore
import Telemetry
import Testing

@Suite("SQLite: opening and closing")
struct SQLiteRunStoreOpeningTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func contents(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

  @Test("a new file syncs every commit, has large pages, and is known by its application id")
  func settings() throws {
    let store = try SQLiteRunStore(path: folder.file())
    for (pragma, value) in [
      ("synchronous", "2"), ("page_size", "16384"), ("journal_mode", "\"wal\""),
      ("wal_autocheckpoint", "0"), ("auto_vacuum", "2"), ("secure_delete", "0"),
      ("application_id", "1196572996"),
      ("integrity_check", "\"ok\""),
    ] {
      #expect(try store.queryOnWriter("PRAGMA \(pragma)") == [value], "\(pragma)")
    }
    try store.close()
  }

  @Test("a file of a newer version is refused, and not touched")
  func newerVersion() throws {
    let path = folder.file()
    let store = try SQLiteRunStore(path: path)
    try store.executeOnWriter("INSERT INTO grdb_migrations VALUES ('8: later')")
    try store.close()
    let before = contents(path)
    #expect(
      throws: RunStoreError.newerVersion(
        path: path,
        found: "8: later",
        supported: "7: rollups of scalars, contents"
      )
    ) { try SQLiteRunStore(path: path) }
    #expect(contents(path) == before)
    #expect((contents(path + "-wal") ?? Data()).isEmpty)
  }

  @Test("a file that is no database is refused, and not touched", arguments: [5, 300, 20_000])
  func notADatabase(size: Int) throws {
    let path = folder.file()
    let text = Data(repeating: 65, count: size)
    try text.write(to: URL(fileURLWithPath: path))
    #expect(
      throws: RunStoreError.cannotOpen(path: path, detail: "not a SQLite database")
    ) { try SQLiteRunStore(path: path) }
    #expect(contents(path) == text)
  }

  @Test("the database of another program is refused, and not touched")
  func otherProgram() throws {
    let path = folder.file()
    let store = try SQLiteRunStore(path: path)
    try store.executeOnWriter("PRAGMA application_id = 7")
    try store.close()
    let before = contents(path)
    #expect(
      throws: RunStoreError.cannotOpen(
        path: path,
        detail: "the SQLite database of another program"
      )
    ) { try SQLiteRunStore(path: path) }
    #expect(contents(path) == before)
  }

  @Test("an empty file becomes a database")
  func emptyFile() throws {
    try Data().write(to: URL(fileURLWithPath: folder.file()))
    let store = try SQLiteRunStore(path: folder.file())
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try store.close()
  }

  @Test("a path that can't be a file says why in one line")
  func badPaths() throws {
    let file = folder.file("file")
    try Data("text".utf8).write(to: URL(fileURLWithPath: file))
    for (path, reason) in [
      (folder.path, "expected a file, found a folder"),
      (folder.file("missing/runs.sqlite"), "No such file or directory"),
      (file + "/runs.sqlite", "Not a directory"), ("", "the path is empty"),
    ] {
      let error = #expect(throws: RunStoreError.self) { try SQLiteRunStore(path: path) }
      guard case .cannotOpen(let found, let detail) = error else {
        Issue.record("expected cannotOpen, found \(String(describing: error))")
        continue
      }
      #expect(found == path)
      #expect(detail.hasSuffix(reason))
      #expect(!"\(error.map { "\($0)" } ?? "")".contains("\n"))
    }
  }

  @Test("a folder that can't be written is refused", .enabled(if: geteuid() != 0))
  func unwritable() throws {
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.path)
    #expect(throws: RunStoreError.self) { try SQLiteRunStore(path: folder.file()) }
  }

  @Test("a second store on one file is refused, by any name of it, until the first is closed")
  func inUse() throws {
    let path = folder.file()
    let first = try SQLiteRunStore(path: path)
    let link = folder.file("link.sqlite")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    let hardLink = folder.file("hard.sqlite")
    try FileManager.default.linkItem(atPath: path, toPath: hardLink)
    for name in [path, link, hardLink] {
      let error = #expect(throws: RunStoreError.self) { try SQLiteRunStore(path: name) }
      guard case .inUse = error else {
        Issue.record("expected inUse, found \(String(describing: error))")
        continue
      }
    }
    try first.close()
    let second = try SQLiteRunStore(path: path)
    try second.close()
  }

  @Test("a store that was not closed leaves everything to the next")
  func dropped() throws {
    do {
      let store = try SQLiteRunStore(path: folder.file())
      _ = try store.register(Samples.registration(), at: Samples.time(1))
    }
    let store = try SQLiteRunStore(path: folder.file())
    #expect(try store.run(RunID("r1")) != nil)
    try store.close()
  }

  @Test("closing moves the log into the file, and every call after it says that it is closed")
  func closed() throws {
    let store = try SQLiteRunStore(path: folder.file())
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try store.close()
    try store.close()
    #expect((contents(folder.file() + "-wal") ?? Data()).isEmpty)
    let run = try RunID("r1")
    let producer = try ProducerID("p0")
    let calls: [(String, () throws -> Void)] = [
      ("register run r1", { _ = try store.register(Samples.registration(), at: Samples.time(1)) }),
      (
        "commit 1 changes",
        { _ = try store.commit([.refusal(run: run, producer: producer, sequence: 1)]) }
      ),
      ("read the log to seal", { _ = try store.sealNext() }),
      ("read run r1", { _ = try store.run(run) }),
      ("list runs", { _ = try store.runs(RunFilter(), page: PageRequest(size: 1)) }),
      ("read snapshot of run r1", { _ = try store.snapshot(of: run, producer: producer) }),
      ("read the last alert cursor", { _ = try store.lastCursor() }),
    ]
    for (operation, call) in calls {
      #expect(
        throws: RunStoreError.unavailable(operation: operation, detail: "closed"),
        performing: call
      )
    }
  }
}
