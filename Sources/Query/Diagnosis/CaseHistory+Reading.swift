public import RunStore
public import Telemetry

extension CaseHistory {
  /// Reads what a store has of a run.
  ///
  /// Blocks the calling thread. Time follows the alerts, and hardly the steps, which are read where they were summed up; memory
  /// is bounded by ``maximumAlerts``.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - rules: The identifiers of the rules that watched it.
  ///   - store: Where it lives.
  /// - Throws: ``QueryError`` if the run is unknown or can't be read.
  public init(run: RunID, rules: [RuleID], store: any RunStore) throws(QueryError) {
    let reader = try RunReader(run: run, store: store)
    self.init(run: run, status: reader.run.status, model: reader.model)
    self.rules = rules
    hyperparameters = reader.run.hyperparameters
    producers = reader.run.producers.map(\.producer)
    lastStep = reader.run.lastStep
    loss = try LossCourse(of: reader)
    let rates = try reader.stepSeries(.learningRate, steps: 0...Step.maximum, maximumPoints: 1) {
      _ in true
    }
    learningRate = rates.first?.points.last.last
    do throws(RunStoreError) {
      stepCount = try store.stepCount(of: run, producer: reader.producer)
      try readAlerts(store)
      // The leading producer first: it is the one that is always looked at.
      let others = reader.run.producers.filter { $0.producer.id != reader.producer }
      let lead = reader.run.producers.filter { $0.producer.id == reader.producer }
      for producer in (lead + others).prefix(Self.maximumProducers) {
        guard let last = producer.lastStep else { continue }
        let probe = ColumnProbe(
          run: run,
          producer: producer.producer.id,
          model: model,
          lastStep: last,
          store: store
        )
        var batch: UInt64?
        columns[producer.producer.id] = try probe.columns { batch = $0.batchSize ?? batch }
        if producer.producer.id == reader.producer { batchSize = batch }
      }
    } catch {
      throw .store(error)
    }
  }

  /// The most alerts that are held; one takes some kilobytes.
  ///
  /// Of more, the latest are left out, for causes come first.
  private static let maximumAlerts = 10_000
  private static let alertsPerPage = 1000
  /// Ranks of one job send the same columns, so the first ones stand for all.
  private static let maximumProducers = 16

  private mutating func readAlerts(_ store: any RunStore) throws(RunStoreError) {
    var page = PageRequest(size: Self.alertsPerPage)
    let filter = AlertFilter(run: run, states: [.firing, .acknowledged, .resolved])
    repeat {
      let found = try store.alerts(filter, page: page)
      alerts += found.items
      if alerts.count > Self.maximumAlerts {
        omittedAlertCount += alerts.count - Self.maximumAlerts
        alerts.sort(by: AlertGroup.precedes)
        alerts.removeLast(alerts.count - Self.maximumAlerts)
      }
      page.after = found.next
    } while page.after != nil
  }
}
