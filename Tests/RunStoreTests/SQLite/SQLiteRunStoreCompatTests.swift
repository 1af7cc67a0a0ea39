import RunStore
import Testing

@Suite("SQLite: what every run store must do")
struct SQLiteRunStoreCompatTests {
  private let folder: TemporaryFolder
  private let compat: RunStoreCompat

  init() throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    compat = RunStoreCompat { try SQLiteRunStore(path: folder.file()) }
  }

  @Test("a registered run is read back whole")
  func registration() throws { try compat.aRegisteredRunIsReadBackWhole() }

  @Test("a model is read back whole")
  func model() throws { try compat.aModelIsReadBackWhole() }

  @Test("registering again updates the labels and says where to resume")
  func registrationAgain() throws { try compat.registeringAgainResumes() }

  @Test("a run's labels stay as they were if a later registration has none")
  func emptyRegistrationAgain() throws { try compat.labelsStayIfALaterRegistrationHasNone() }

  @Test("another model is refused, naming the first field that differs")
  func modelDiffers() throws { try compat.anotherModelIsRefusedNamingTheField() }

  @Test("another producer joins the run")
  func producers() throws { try compat.anotherProducerJoinsTheRun() }

  @Test("runs are listed by filter, the newest first, in pages")
  func runs() throws { try compat.runsAreListedNewestFirstInPages() }

  @Test("an unknown run or producer is said, or nil")
  func unknown() throws { try compat.whatIsUnknownIsSaid() }

  @Test("reports are read back bit for bit", arguments: [1, 2, 3])
  func bits(seed: UInt64) throws { try compat.reportsAreReadBackBitForBit(seed: seed) }

  @Test("a refusal advances the sequence number and nothing else")
  func refusals() throws { try compat.refusalsAdvanceTheSequence() }

  @Test("a sequence conflict rolls back the whole group")
  func conflict() throws { try compat.aSequenceConflictRollsBackTheWholeGroup() }

  @Test("a snapshot covers the reports before it")
  func snapshots() throws { try compat.snapshotsCoverTheReportsBeforeThem() }

  @Test("producers of one run are kept apart")
  func apart() throws { try compat.producersAreKeptApart() }

  @Test("a body that returns false ends the reading")
  func ending() throws { try compat.aBodyThatReturnsFalseEndsTheReading() }

  @Test("what was committed is found after closing and opening")
  func reopening() throws { try compat.whatWasCommittedIsFoundAfterReopening() }

  @Test("sealing is invisible to readers", arguments: [1, 2])
  func sealing(seed: UInt64) throws { try compat.sealingIsInvisibleToReaders(seed: seed) }

  @Test("rollups sum up exactly what they cover, through rewinds", arguments: [1, 2])
  func rollups(seed: UInt64) throws { try compat.rollupsSumUpWhatTheyCover(seed: seed) }

  @Test("rollups of rollups sum up a long run")
  func coarseRollups() throws { try compat.rollupsOfRollupsSumUpALongRun() }

  @Test("only reports that a snapshot covers are sealed")
  func covered() throws { try compat.onlyCoveredReportsAreSealed() }

  @Test("what a producer left that was killed is sealed once it is silent")
  func silent() throws { try compat.whatASilentProducerLeftIsSealed() }

  @Test("a rewind to any place drops what is at it and above, sealed or not")
  func rewinds() throws { try compat.aRewindAnywhereDropsWhatIsAboveIt() }

  @Test("a report whose step does not ascend rewinds, whatever the caller says")
  func ascent() throws { try compat.aReportThatDoesNotAscendRewinds() }

  @Test("a random history reads as its reference", arguments: [1, 2, 3, 4])
  func history(seed: UInt64) throws { try compat.aRandomHistoryReadsAsItsReference(seed: seed) }

  @Test("annotations are listed by producer and steps, the newest first, in pages")
  func annotations() throws { try compat.annotationsAreListedNewestFirstInPages() }

  @Test("annotations are kept by sealing and reopening, and replaced by a rewind")
  func keptAnnotations() throws { try compat.annotationsAreSealedAndRewoundWithTheirReports() }

  @Test("transitions get cursors in order, and an alert keeps its last state")
  func transitions() throws {
    try compat.transitionsGetCursorsInOrderAndAlertsKeepTheirLastState()
  }

  @Test("alerts that fire or are acknowledged are counted by severity")
  func openAlerts() throws { try compat.openAlertsAreCountedBySeverity() }

  @Test("resolved alerts of steps that are gone back over never happened")
  func rewoundAlerts() throws {
    try compat.resolvedAlertsOfStepsThatAreGoneBackOverNeverHappened()
  }

  @Test("alerts are listed by filter, the newest first, in pages")
  func alerts() throws { try compat.alertsAreListedNewestFirstByFilterInPages() }

  @Test("rule sets are kept by project and run, and replaced as a whole")
  func rules() throws { try compat.ruleSetsAreKeptByProjectAndRunAndReplaced() }

  @Test("silences are kept until they end or are removed")
  func silences() throws { try compat.silencesAreKeptUntilTheyEndOrAreRemoved() }

  @Test("a deleted run is gone at once, and others stay")
  func deletion() throws { try compat.aDeletedRunIsGoneAtOnceAndOthersStay() }

  @Test("a deletion goes on after reopening, wherever it was cut off")
  func interruptedDeletion() throws {
    // Slices so small that a test has many.
    let compat = RunStoreCompat { [folder] in
      var options = SQLiteRunStore.Options()
      options.deletionSliceBytes = 20_000
      // GRDB makes a table and drops it when it opens a file: each opening frees a page.
      options.keptFreeBytes = 65_536
      return try SQLiteRunStore(path: folder.file(), options: options)
    }
    try compat.aDeletionGoesOnAfterReopening()
  }

  @Test("a run is registered anew while the one before it is being deleted")
  func registrationAfterDeletion() throws {
    let compat = RunStoreCompat { [folder] in
      var options = SQLiteRunStore.Options()
      options.deletionSliceBytes = 20_000
      return try SQLiteRunStore(path: folder.file(), options: options)
    }
    try compat.aDeletedRunIsRegisteredAnew()
  }

  @Test("a run that was rewound, sealed and finished is deleted")
  func rewoundDeletion() throws { try compat.aRewoundFinishedRunIsDeleted() }

  @Test("retention is kept by project, with one for all others")
  func retention() throws { try compat.retentionIsKeptByProject() }

  @Test("footprints say what runs take and when they ended")
  func footprints() throws { try compat.footprintsSayWhatRunsTake() }

  @Test("a checkpoint keeps everything, and statistics count")
  func checkpoint() throws { try compat.aCheckpointKeepsEverything() }
}
