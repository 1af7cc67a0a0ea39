import Telemetry

extension StepReport {
  /// About how much memory this report holds, for the bound on what waits for the disk.
  var approximateBytes: Int {
    var bytes = 512
    bytes += gradients.approximateBytes
    bytes += 4 * (parameters.tensorIDs.count + parameters.norm.count + parameters.updateNorm.count)
    if let column = histograms { bytes += 8 * column.counts.count + 28 * column.zeroCount.count }
    if let column = explicitHistograms { bytes += 8 * (column.counts.count + column.bounds.count) }
    bytes += 24 * activations.mean.count
    for profile in timeStepNorms { bytes += 8 * profile.norms.count }
    for note in scalars.annotations {
      bytes += 64 + note.action.utf8.count + note.detail.utf8.count
    }
    return bytes
  }
}

extension GradientColumns {
  fileprivate var approximateBytes: Int {
    let floats = [tensorIDs.count, norm.count, mean.count, meanAbs.count, std.count, min.count]
    let counts = [
      zeroCount.count, nanCount.count, positiveInfinityCount.count, negativeInfinityCount.count,
    ]
    return 4 * (floats.reduce(0, +) + max.count) + 8 * counts.reduce(0, +)
  }
}
