extension StepReport {
  /// About how much memory this report holds, for bounds on what waits.
  ///
  /// Never less than what it takes on the wire, as long as its counts are below 2^56.
  package var approximateBytes: Int {
    var bytes = 640
    for loss in scalars.losses { bytes += 48 + loss.name.utf8.count }
    for note in scalars.annotations {
      bytes += 64 + note.action.utf8.count + note.detail.utf8.count
      bytes += note.alert?.rawValue.utf8.count ?? 0
    }
    bytes += gradients.approximateBytes
    bytes += 5 * parameters.tensorIDs.count
    bytes += 4 * (parameters.norm.count + parameters.updateNorm.count)
    if let column = histograms {
      bytes += 5 * column.tensorIDs.count + 8 * column.counts.count + 30 * column.zeroCount.count
    }
    if let column = explicitHistograms {
      bytes += 5 * column.tensorIDs.count + 8 * (column.counts.count + column.bounds.count)
    }
    bytes += activations.approximateBytes
    for profile in timeStepNorms { bytes += 32 + 9 * profile.norms.count }
    return bytes
  }
}

extension GradientColumns {
  fileprivate var approximateBytes: Int {
    var floats = norm.count + mean.count + meanAbs.count
    floats += std.count + min.count + max.count
    var counts = zeroCount.count + nanCount.count
    counts += positiveInfinityCount.count + negativeInfinityCount.count
    return 5 * tensorIDs.count + 4 * floats + 8 * counts
  }
}

extension ActivationColumns {
  fileprivate var approximateBytes: Int {
    let floats = mean.count + std.count + zeroFraction.count
    return 5 * layerIDs.count + 4 * (floats + saturatedFraction.count + deadUnitFraction.count)
  }
}
