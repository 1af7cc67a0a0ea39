extension Tape {
  /// Lays out what a convolution's filters see at each place, as rows that a matrix can multiply.
  ///
  /// ```
  /// y[n, i, j, (u, v, c)] = x[n, i s + u - p, j s + v - q, c]        0 beyond the edge
  ///
  /// x: [batch, height, width, channels]                              s: stride
  /// y: [batch, ⌈height / s⌉, ⌈width / s⌉, size.height size.width channels]
  /// p, q: half the size, rounded down, so that an odd size at stride 1 keeps height and width
  /// dx: the sum of dy over all places that see an element
  /// ```
  /// Or a sequence, which is an image of height 1: `[batch, time, channels]` to
  /// `[batch, ⌈time / s⌉, size.width channels]`. Chellapilla, Puri and Simard, "High Performance
  /// Convolutional Neural Networks for Document Processing", 2006.
  public func patches(
    of x: Variable,
    size: (height: Int, width: Int),
    stride: Int
  ) -> Variable {
    let image = value(of: x)
    let layout = PatchLayout(shape: image.shape, size: size, stride: stride)
    var rows = NDArray<Scalar>(repeating: 0, shape: layout.outputShape)
    rows.withMutableElements { rows in
      image.withUnsafeBufferPointer { image in
        layout.forEachRun { inImage, inRows in
          _ = rows.extracting(inRows).update(fromContentsOf: image.extracting(inImage))
        }
      }
    }
    return record(rows, of: x) { tape, gradient in
      tape.accumulate(intoGradientOf: x) { whole in
        whole.withMutableElements { whole in
          gradient.withUnsafeBufferPointer { gradient in
            layout.forEachRun { inImage, inRows in
              let (sums, terms) = (whole.extracting(inImage), gradient.extracting(inRows))
              for index in sums.indices { sums[index] += terms[index] }
            }
          }
        }
      }
    }
  }
}

/// Where the patches of an image lie, one row for each place.
private struct PatchLayout {
  let batch: Int
  let imageHeight: Int
  let imageWidth: Int
  let channels: Int
  let size: (height: Int, width: Int)
  let stride: Int
  let outputHeight: Int
  let outputWidth: Int
  let outputShape: [Int]

  init(shape: [Int], size: (height: Int, width: Int), stride: Int) {
    let isSequence = shape.count == 3
    (batch, channels) = (shape[0], shape[shape.count - 1])
    (imageHeight, imageWidth) = isSequence ? (1, shape[1]) : (shape[1], shape[2])
    self.size = size
    self.stride = stride
    outputHeight = (imageHeight + stride - 1) / stride
    outputWidth = (imageWidth + stride - 1) / stride
    outputShape =
      [batch] + (isSequence ? [] : [outputHeight])
      + [outputWidth, size.height * size.width * channels]
  }

  /// Calls with where in the image, and where in the rows, lies each run of elements that are side
  /// by side in both.
  @inline(__always)
  func forEachRun(_ body: (_ image: Range<Int>, _ rows: Range<Int>) -> Void) {
    var row = 0
    for sample in 0..<batch {
      for i in 0..<outputHeight {
        for j in 0..<outputWidth {
          let first = j * stride - size.width / 2
          let columns = max(first, 0)..<max(min(first + size.width, imageWidth), max(first, 0))
          for u in 0..<size.height {
            let line = i * stride + u - size.height / 2
            guard line >= 0, line < imageHeight, !columns.isEmpty else { continue }
            let count = columns.count * channels
            let inImage =
              ((sample * imageHeight + line) * imageWidth + columns.lowerBound) * channels
            let inRows = row + (u * size.width + columns.lowerBound - first) * channels
            body(inImage..<inImage + count, inRows..<inRows + count)
          }
          row += size.height * size.width * channels
        }
      }
    }
  }
}
