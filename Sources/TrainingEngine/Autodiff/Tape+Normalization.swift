/// Which elements of `[batch, ..., channels]` share a mean and a variance.
public enum NormalizationGroup: Hashable, Sendable {
  /// Those of one channel, over all samples and positions: batch normalization.
  ///
  /// Ioffe and Szegedy, "Batch Normalization", 2015.
  case channel
  /// Those of one sample and position, over all channels: layer normalization.
  ///
  /// Ba, Kiros and Hinton, "Layer Normalization", 2016.
  case position
  /// Those of one sample in one of so many groups of neighbouring channels, over all positions.
  ///
  /// Wu and He, "Group Normalization", 2018. The number has to divide the channels.
  case channelGroup(count: Int)
}

extension Tape {
  /// Shifts and scales groups of elements to mean 0 and variance 1, then by what is learned.
  ///
  /// ```
  /// x̂ = (x - μ) / √(σ² + epsilon)        μ, σ²: of the element's group, σ² divided by its size
  /// y[..., c] = gain[c] · x̂[..., c] + offset[c]
  ///
  /// dx = (dx̂ - mean(dx̂) - x̂ · mean(dx̂ · x̂)) / √(σ² + epsilon)     dx̂ = gain · dy
  /// dgain[c] = Σ dy · x̂        doffset[c] = Σ dy
  /// ```
  /// Shapes: `x`, `y` `[batch, ..., channels]`; `gain`, `offset` `[channels]`. The default epsilon
  /// is PyTorch's.
  public func normalized(
    _ x: Variable,
    gain: Variable,
    offset: Variable,
    over group: NormalizationGroup,
    epsilon: Scalar = 1e-5
  ) -> Variable {
    let (input, gains, offsets) = (value(of: x), value(of: gain), value(of: offset))
    let layout = GroupLayout(group, shape: input.shape)
    precondition(
      gains.shape == [layout.channels] && offsets.shape == gains.shape,
      "normalization of \(input.shape): expected a gain and an offset for each channel, "
        + "found \(gains.shape) and \(offsets.shape)"
    )
    var normal = input
    /// 1 / √(σ² + epsilon) of every channel's group, for one set of rows after the other.
    var factors = NDArray<Scalar>(repeating: 0, shape: [layout.sets, layout.channels])
    normal.withMutableElements { normal in
      factors.withMutableElements { factors in
        for set in 0..<layout.sets {
          let mean: [Scalar] = layout.means(of: set) { row, sums in
            let x = normal.extracting(row)
            for channel in sums.indices { sums[channel] += x[channel] }
          }
          let variance: [Scalar] = layout.means(of: set) { row, sums in
            let x = normal.extracting(row)
            for channel in sums.indices {
              x[channel] -= mean[channel]
              sums[channel] += x[channel] * x[channel]
            }
          }
          let own = factors.extracting(layout.channels(of: set))
          for channel in own.indices {
            own[channel] = 1 / (variance[channel] + epsilon).squareRoot()
          }
          for row in layout.rows(of: set) {
            let x = normal.extracting(row)
            for channel in own.indices { x[channel] *= own[channel] }
          }
        }
      }
    }
    var y = normal
    y.multiplyRows(by: gains)
    y.addToRows(offsets)
    let (standard, scales) = (normal, factors)
    return record(y, of: x, gain, offset) { tape, gradient in
      tape.accumulate(intoGradientOf: gain) { $0.addRows(of: gradient.combined(with: standard, *)) }
      tape.accumulate(intoGradientOf: offset) { $0.addRows(of: gradient) }
      var slope = gradient
      slope.multiplyRows(by: gains)
      slope.withMutableElements { slope in
        standard.withUnsafeBufferPointer { standard in
          scales.withUnsafeBufferPointer { scales in
            for set in 0..<layout.sets {
              let mean: [Scalar] = layout.means(of: set) { row, sums in
                let dx = slope.extracting(row)
                for channel in sums.indices { sums[channel] += dx[channel] }
              }
              let tilt: [Scalar] = layout.means(of: set) { row, sums in
                let (x, dx) = (standard.extracting(row), slope.extracting(row))
                for channel in sums.indices { sums[channel] += dx[channel] * x[channel] }
              }
              let own = scales.extracting(layout.channels(of: set))
              for row in layout.rows(of: set) {
                let (x, dx) = (standard.extracting(row), slope.extracting(row))
                for channel in own.indices {
                  dx[channel] =
                    (dx[channel] - mean[channel] - x[channel] * tilt[channel]) * own[channel]
                }
              }
            }
          }
        }
      }
      tape.add(slope, toGradientOf: x)
    }
  }
}

/// Cuts rows of channels into sets of consecutive rows, and the channels of a set into groups of
/// neighbours: what is in one set and one group shares a mean.
private struct GroupLayout {
  let channels: Int
  let sets: Int
  let rowsPerSet: Int
  let channelsPerGroup: Int

  init(_ group: NormalizationGroup, shape: [Int]) {
    channels = shape[shape.count - 1]
    let rows = shape.dropLast().reduce(1, *)
    switch group {
    case .channel: (sets, channelsPerGroup) = (1, 1)
    case .position: (sets, channelsPerGroup) = (rows, channels)
    case .channelGroup(let groups):
      precondition(
        groups > 0 && channels % groups == 0,
        "groups: expected a divisor of \(channels) channels, found \(groups)"
      )
      (sets, channelsPerGroup) = (shape[0], channels / groups)
    }
    rowsPerSet = sets == 0 ? 0 : rows / sets
  }

  /// Returns where the rows of a set lie.
  func rows(of set: Int) -> [Range<Int>] {
    (set * rowsPerSet..<(set + 1) * rowsPerSet).map { $0 * channels..<($0 + 1) * channels }
  }

  /// Returns where a set's numbers lie, of which there is one a channel.
  func channels(of set: Int) -> Range<Int> { set * channels..<(set + 1) * channels }

  /// Computes the means of a set.
  ///
  /// - Parameters:
  ///   - set: The number of the set, from 0.
  ///   - addRow: Adds the terms of a row, whose elements lie in a range, to sums by channel.
  /// - Returns: For each channel the mean over its group.
  @inline(__always)
  func means<Scalar: TrainingScalar>(
    of set: Int,
    _ addRow: (_ row: Range<Int>, _ sums: UnsafeMutableBufferPointer<Scalar>) -> Void
  ) -> [Scalar] {
    let share = 1 / Scalar(rowsPerSet * channelsPerGroup)
    return [Scalar](unsafeUninitializedCapacity: channels) { sums, count in
      let sums = UnsafeMutableBufferPointer(rebasing: sums[..<channels])
      sums.update(repeating: 0)
      for row in rows(of: set) { addRow(row, sums) }
      for first in stride(from: 0, to: channels, by: channelsPerGroup) {
        let group = sums.extracting(first..<first + channelsPerGroup)
        // The upper half is added to the lower one until one is left: vectors of sums, and a
        // smaller rounding error than one by one.
        var width = channelsPerGroup
        while width > 1 {
          let rest = (width + 1) / 2
          let upper = group.extracting(rest..<width)
          for channel in upper.indices { group[channel] += upper[channel] }
          width = rest
        }
        group.update(repeating: group[0] * share)
      }
      count = channels
    }
  }
}
