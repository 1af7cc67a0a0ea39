import Testing
import TrainingEngine

@Suite("Operations on sequences and images")
struct OperationTests {
  @Test("moving numbers: their gradients go back to where they came from")
  func shapes() {
    expectGradients(of: [[2, 6]], result: [2, 2, 3]) { $0.reshaped($1[0], [2, 2, 3]) }
    expectGradients(of: [[2, 4, 3]], result: [2, 3]) { $0.entry(2, ofSequence: $1[0]) }
    expectGradients(of: [[2, 3], [2, 3], [2, 3]], result: [2, 3, 3]) { $0.sequence($1) }
    // The same entry twice.
    expectGradients(of: [[2, 3]], result: [2, 2, 3]) { $0.sequence([$1[0], $1[0]]) }
    expectGradients(of: [[2, 4, 3]], result: [2, 3]) { $0.meanOverPositions($1[0]) }
    expectGradients(of: [[2, 2, 4, 3]], result: [2, 3]) { $0.meanOverPositions($1[0]) }
    let tape = Tape<Double>()
    let x = tape.variable(.wave([2, 4, 3], seed: 1))
    let entries = (0..<4).map { tape.entry($0, ofSequence: x) }
    #expect(tape.value(of: tape.sequence(entries)) == tape.value(of: x))
    #expect(tape.value(of: entries[1]).elements[3..<6] == tape.value(of: x).elements[15..<18])
  }

  @Test("a detached value is the same and passes no gradient")
  func detached() {
    let tape = Tape<Double>()
    let x = tape.variable(.wave([2, 3], seed: 1))
    let y = tape.detached(x)
    #expect(tape.value(of: y) == tape.value(of: x))
    tape.backward(from: tape.sum(tape.scaled(y, by: 3), tape.scaled(x, by: 5)))
    #expect(tape.gradient(of: x) == NDArray(repeating: 5, shape: [2, 3]))
  }

  @Test("tokens and positions look their rows up, and add to their gradients")
  func embedding() {
    // Token 3 twice, token 1 never.
    let tokens = NDArray<Double>(shape: [2, 3], elements: [3, 0, 2, 3, 4, 0])
    expectGradients(of: [[5, 2]], result: [2, 3, 2]) { $0.embedding(tokens, table: $1[0]) }
    expectGradients(of: [[2, 3, 2], [3, 2]], result: [2, 3, 2]) {
      $0.addingToSamples($1[0], $1[1])
    }
    let tape = Tape<Double>()
    let table = tape.variable(.wave([5, 2], seed: 1))
    let found = tape.value(of: tape.embedding(tokens, table: table)).elements
    #expect(found[..<2] == tape.value(of: table).elements[6..<8])
  }

  @Test("a token that is not in the table is a programmer error")
  func noToken() async {
    await #expect(processExitsWith: .failure) {
      let tape = Tape<Double>()
      let table = tape.constant(NDArray(repeating: 0, shape: [2, 2]))
      _ = tape.embedding(NDArray(shape: [1, 1], elements: [-1]), table: table)
    }
  }

  @Test(
    "a normalization's gradients are those of finite differences",
    arguments: [
      NormalizationGroup.channel, .position, .channelGroup(count: 1), .channelGroup(count: 2),
      .channelGroup(count: 6),
    ]
  )
  func normalized(_ group: NormalizationGroup) {
    for shape in [[4, 6], [3, 2, 6], [2, 2, 3, 6]] {
      // Of one element there is no variance, and two are ±1 however far apart: too steep where they
      // are close.
      if shape.count < 4, group == .channelGroup(count: 6) { continue }
      expectGradients(of: [shape, [6], [6]], result: shape) {
        $0.normalized($1[0], gain: $1[1], offset: $1[2], over: group)
      }
    }
  }

  @Test("a normalized group has mean 0 and variance 1, whatever its size")
  func normalizedMoments() {
    for channels in [1, 2, 5, 7, 8] {
      let tape = Tape<Double>()
      let gain = tape.constant(NDArray(repeating: 1, shape: [channels]))
      let offset = tape.constant(NDArray(repeating: 0, shape: [channels]))
      let x = tape.constant(.wave([9, channels], seed: 3, amplitude: 40))
      let y = tape.value(of: tape.normalized(x, gain: gain, offset: offset, over: .channel))
      for channel in 0..<channels {
        let moments = Moments((0..<9).map { y.elements[$0 * channels + channel] })
        #expect(moments.mean.magnitude < 1e-14 && (moments.variance - 1).magnitude < 1e-6)
      }
      let z = tape.value(of: tape.normalized(x, gain: gain, offset: offset, over: .position))
      guard channels > 1 else { continue }
      for row in 0..<9 {
        let moments = Moments(Array(z.elements[row * channels..<(row + 1) * channels]))
        #expect(moments.mean.magnitude < 1e-14 && (moments.variance - 1).magnitude < 1e-3)
      }
    }
  }

  @Test("patches of images: shapes, values and gradients", arguments: [1, 3, 5], [1, 2, 3])
  func patches(size: Int, stride: Int) {
    for (height, width) in [(5, 4), (2, 7), (1, 1)] {
      let places = [(height + stride - 1) / stride, (width + stride - 1) / stride]
      let shape = [2] + places + [size * size * 2]
      expectGradients(of: [[2, height, width, 2]], result: shape) {
        $0.patches(of: $1[0], size: (size, size), stride: stride)
      }
      // By the formula.
      let tape = Tape<Double>()
      let image = NDArray<Double>.wave([2, height, width, 2], seed: 1)
      let patches = tape.value(
        of: tape.patches(of: tape.constant(image), size: (size, size), stride: stride)
      )
      var expected: [Double] = []
      for n in 0..<2 {
        for i in 0..<places[0] {
          for j in 0..<places[1] {
            for u in 0..<size {
              for v in 0..<size {
                let (row, column) = (i * stride + u - size / 2, j * stride + v - size / 2)
                let isInside = (0..<height).contains(row) && (0..<width).contains(column)
                for c in 0..<2 {
                  let place = ((n * height + row) * width + column) * 2 + c
                  expected.append(isInside ? image.elements[place] : 0)
                }
              }
            }
          }
        }
      }
      #expect(patches.elements == expected)
    }
    let time = (6 + stride - 1) / stride
    expectGradients(of: [[2, 6, 3]], result: [2, time, size * 3]) {
      $0.patches(of: $1[0], size: (1, size), stride: stride)
    }
  }

  @Test("attention's gradients are those of finite differences", arguments: [true, false])
  func attention(isCausal: Bool) {
    for (heads, width) in [(1, 3), (2, 4), (4, 4)] {
      expectGradients(of: [[2, 4, 3 * width]], result: [2, 4, width]) {
        $0.attention($1[0], headCount: heads, isCausal: isCausal)
      }
    }
  }

  @Test("causal attention sees nothing after a position, and one position only itself")
  func causal() {
    let tape = Tape<Double>()
    var later = NDArray<Double>.wave([1, 4, 12], seed: 1)
    let first = tape.attention(tape.constant(later), headCount: 2, isCausal: true)
    for index in 24..<48 { later.elements[index] = 100 }
    let second = tape.attention(tape.constant(later), headCount: 2, isCausal: true)
    #expect(tape.value(of: first).elements[..<8] == tape.value(of: second).elements[..<8])
    #expect(tape.value(of: first).elements[..<4] == later.elements[8..<12])
  }

  @Test("the gradients of recurrent cells are those of finite differences")
  func cells() {
    expectGradients(of: [[3, 8], [3, 2]], result: [3, 2]) {
      $0.longShortTermMemory(gates: $1[0], cell: $1[1]).hidden
    }
    expectGradients(of: [[3, 8], [3, 2]], result: [3, 2]) {
      $0.longShortTermMemory(gates: $1[0], cell: $1[1]).cell
    }
    expectGradients(of: [[3, 8], [3, 2]], result: [3, 2]) { tape, x in
      let (hidden, cell) = tape.longShortTermMemory(gates: x[0], cell: x[1])
      return tape.sum(hidden, tape.longShortTermMemory(gates: x[0], cell: cell).hidden)
    }
    expectGradients(of: [[3, 6], [3, 6], [3, 2]], result: [3, 2]) {
      $0.gatedUnit(input: $1[0], recurrent: $1[1], state: $1[2])
    }
  }
}
