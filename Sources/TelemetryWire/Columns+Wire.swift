import Telemetry

extension GradientColumns {
  init(wire: consuming Gradwatch_V1_GradientColumns) {
    self.init()
    tensorIDs = wire.tensorIds
    norm = wire.norm
    mean = wire.mean
    meanAbs = wire.meanAbs
    std = wire.std
    min = wire.min
    max = wire.max
    zeroCount = wire.zeroCount
    nanCount = wire.nanCount
    positiveInfinityCount = wire.positiveInfinityCount
    negativeInfinityCount = wire.negativeInfinityCount
  }
}

extension Gradwatch_V1_GradientColumns {
  init(_ columns: GradientColumns) {
    self.init()
    tensorIds = columns.tensorIDs
    norm = columns.norm
    mean = columns.mean
    meanAbs = columns.meanAbs
    std = columns.std
    min = columns.min
    max = columns.max
    zeroCount = columns.zeroCount
    nanCount = columns.nanCount
    positiveInfinityCount = columns.positiveInfinityCount
    negativeInfinityCount = columns.negativeInfinityCount
  }
}

extension ParameterColumns {
  init(wire: consuming Gradwatch_V1_ParameterColumns) {
    self.init()
    tensorIDs = wire.tensorIds
    norm = wire.norm
    updateNorm = wire.updateNorm
  }
}

extension Gradwatch_V1_ParameterColumns {
  init(_ columns: ParameterColumns) {
    self.init()
    tensorIds = columns.tensorIDs
    norm = columns.norm
    updateNorm = columns.updateNorm
  }
}

extension ActivationColumns {
  init(wire: consuming Gradwatch_V1_ActivationColumns) {
    self.init()
    layerIDs = wire.layerIds
    mean = wire.mean
    std = wire.std
    zeroFraction = wire.zeroFraction
    saturatedFraction = wire.saturatedFraction
    deadUnitFraction = wire.deadUnitFraction
  }
}

extension Gradwatch_V1_ActivationColumns {
  init(_ columns: ActivationColumns) {
    self.init()
    layerIds = columns.layerIDs
    mean = columns.mean
    std = columns.std
    zeroFraction = columns.zeroFraction
    saturatedFraction = columns.saturatedFraction
    deadUnitFraction = columns.deadUnitFraction
  }
}

extension TimeStepNorms {
  init(wire: Gradwatch_V1_TimeStepNorms) throws(TelemetryError) {
    guard wire.positions.count == wire.norms.count else {
      throw .columnLength(
        column: "time_step_norms.norms",
        expected: wire.positions.count,
        found: wire.norms.count
      )
    }
    guard zip(wire.positions, wire.positions.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw .outOfRange(
        field: "time_step_norms.positions",
        expected: "ascending positions",
        found: "a position that is not above the one before"
      )
    }
    self.init(layer: wire.layerID, positions: wire.positions, norms: wire.norms)
  }
}
