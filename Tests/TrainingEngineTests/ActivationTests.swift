import Testing
import TrainingEngine

@Suite("Activations")
struct ActivationTests {
  /// On both sides of every kink and curve, and away from 0.
  private static let x = NDArray<Double>(
    shape: [2, 5],
    elements: [-7, -3, -1.2, -0.4, -0.02, 0.02, 0.5, 1.3, 4, 8]
  )

  @Test(
    "the gradient of an activation is that of finite differences, and the shape stays",
    arguments: Activation.allCases
  )
  func gradients(_ activation: Activation) {
    let slope = NDArray<Double>(shape: [1], elements: [0.3])
    let inputs = activation == .parametricReLU ? [Self.x, slope] : [Self.x]
    expectGradients(of: inputs, result: [2, 5]) { tape, x in
      activation(x[0], slope: x.count > 1 ? x[1] : nil, on: tape)
    }
  }

  @Test("the derivative at a kink is PyTorch's: 0 of ReLU, the slope of the others")
  func kinks() {
    let tape = Tape<Double>()
    let x = tape.variable(NDArray(shape: [1], elements: [0]))
    let a = tape.variable(NDArray(shape: [1], elements: [0.25]))
    for (y, slope) in [
      (tape.relu(x), 0.0), (tape.leakyReLU(x, slope: 0.01), 0.01),
      (tape.parametricReLU(x, slope: a), 0.25),
    ] {
      let before = tape.gradient(of: x).elements[0]
      tape.backward(from: y)
      #expect(tape.gradient(of: x).elements[0] - before == slope)
    }
  }

  /// The largest distance of a function in `Float` from one in `Double`, in units in the last place
  /// of the exact result.
  private func largestError(
    _ arguments: some Sequence<Float>,
    of found: (Float) -> Float,
    from exact: (Double) -> Double
  ) -> Double {
    var largest = 0.0
    for x in arguments {
      let expected = exact(Double(x))
      let unit = Double(max(Float(expected.magnitude).ulp, .leastNonzeroMagnitude))
      let error = (Double(found(x)) - expected).magnitude / unit
      // Not `max`, which would lose NaN.
      if !(error <= largest) { largest = error }
    }
    return largest
  }

  /// Every so many-th number between two, through their bit patterns: evenly in the exponent.
  private func numbers(from first: Float, to last: Float, count: UInt32) -> [Float] {
    let (lower, upper) = (first.bitPattern, last.bitPattern)
    let step = max((upper - lower) / count, 1)
    return stride(from: lower, through: upper, by: Int(step)).map { Float(bitPattern: $0) }
  }

  @Test("the exponential of Float is within 2 units in the last place, from subnormal to infinite")
  func exponential() {
    let positive = numbers(from: 1e-10, to: 88.72, count: 100_000)
    let negative = numbers(from: 1e-10, to: 87.3, count: 100_000).map { -$0 }
    let error = largestError(positive + negative, of: Float.exponential, from: Double.exponential)
    #expect(error <= 2, "\(error)")
    // Subnormal results are rounded once more, to a unit of 2⁻¹⁴⁹.
    let tiny = numbers(from: 87.34, to: 103.9, count: 10_000).map { -$0 }
    #expect(largestError(tiny, of: Float.exponential, from: Double.exponential) <= 2)
    #expect(Float.exponential(0) == 1 && Float.exponential(-0.0) == 1)
    #expect(Float.exponential(.infinity) == .infinity && Float.exponential(-.infinity) == 0)
    #expect(Float.exponential(88.73) == .infinity && Float.exponential(-104) == 0)
    #expect(Float.exponential(.nan).isNaN)
    #expect(Float.exponential(.leastNonzeroMagnitude) == 1)
  }

  @Test("the hyperbolic tangent of Float is within 3 units in the last place, also near 0")
  func hyperbolicTangent() {
    let positive = numbers(from: .leastNonzeroMagnitude, to: 30, count: 200_000)
    let all = positive + positive.map { -$0 }
    let error = largestError(all, of: Float.hyperbolicTangent, from: Double.hyperbolicTangent)
    #expect(error <= 3, "\(error)")
    #expect(all.allSatisfy { Float.hyperbolicTangent($0).magnitude <= 1 })
    #expect(
      Float.hyperbolicTangent(0).sign == .plus && Float.hyperbolicTangent(-0.0).sign == .minus
    )
    #expect(Float.hyperbolicTangent(.infinity) == 1 && Float.hyperbolicTangent(-.infinity) == -1)
    #expect(Float.hyperbolicTangent(.nan).isNaN)
    #expect(Float.hyperbolicTangent(.greatestFiniteMagnitude) == 1)
  }

  @Test("the normal distribution of Float is as close as it says")
  func normalDistribution() {
    var (share, tail, density) = (0.0, 0.0, 0.0)
    for x in stride(from: Float(-14), through: 14, by: 0.000_37) {
      let found = Float.normalDistribution(x)
      let exact = Double.normalDistribution(Double(x))
      share = max(share, (Double(found.share) - exact.share).magnitude)
      guard x.magnitude <= 5 else { continue }
      density = max(density, (Double(found.density) / exact.density - 1).magnitude)
      // The error function in `Double` cancels below this.
      if x < 0 { tail = max(tail, (Double(found.share) / exact.share - 1).magnitude) }
    }
    #expect(share <= 2e-7, "\(share)")
    #expect(tail <= 1e-6, "\(tail)")
    #expect(density <= 1e-6, "\(density)")
    #expect(Float.normalDistribution(.infinity) == (1, 0))
    #expect(Float.normalDistribution(-.infinity) == (0, 0))
    #expect(Float.normalDistribution(.nan).share.isNaN)
    #expect(Float.normalDistribution(.nan).density.isNaN)
    #expect(Float.normalDistribution(-0.0).share == Float.normalDistribution(0).share)
  }
}
