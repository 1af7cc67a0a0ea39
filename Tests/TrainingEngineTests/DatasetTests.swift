import Testing
import TrainingEngine

@Suite("Data")
struct DatasetTests {
  @Test("moons without noise lie on their half circles")
  func moonsGeometry() {
    let moons = Dataset.makeMoons(count: 301, noise: 0, seed: 1)
    #expect(moons.inputs.shape == [301, 2] && moons.targets.shape == [301, 1])
    var ends: [Set<[Float]>] = [[], []]
    for sample in 0..<moons.count {
      let (x, y) = (moons.inputs.elements[2 * sample], moons.inputs.elements[2 * sample + 1])
      let isInner = moons.targets.elements[sample] == 1
      // Distance 1 from its centre, on its own side of it.
      let (dx, dy) = isInner ? (x - 1, 0.5 - y) : (x, y)
      #expect((dx * dx + dy * dy - 1).magnitude < 1e-5)
      #expect(dy > -1e-5)
      if dy < 1e-5 { ends[isInner ? 1 : 0].insert([x.rounded(), (y * 2).rounded()]) }
    }
    // Both ends of both circles are there.
    #expect(ends == [[[1, 0], [-1, 0]], [[0, 1], [2, 1]]])
    // The odd sample is on the inner circle.
    #expect(moons.targets.elements.filter { $0 == 1 }.count == 151)
  }

  @Test("moons are shuffled, and their noise has its standard deviation")
  func moonsNoise() {
    let exact = Dataset.makeMoons(count: 3000, noise: 0, seed: 4)
    let firstTargets = exact.targets.elements.prefix(100).reduce(0, +)
    #expect(firstTargets > 25 && firstTargets < 75)

    // Of target 0, the distance from the centre is 1 plus the radial part of the noise.
    let noisy = Dataset.makeMoons(count: 3000, noise: 0.1, seed: 4)
    let radial = (0..<3000).filter { noisy.targets.elements[$0] == 0 }.map { sample in
      let (x, y) = (
        Double(noisy.inputs.elements[2 * sample]), Double(noisy.inputs.elements[2 * sample + 1])
      )
      return (x * x + y * y).squareRoot() - 1
    }
    #expect((Moments(radial).variance.squareRoot() - 0.1).magnitude < 0.008)
  }

  @Test("a regression without noise is a linear map of its informative features")
  func regression() throws {
    let data = Dataset.makeRegression(count: 400, features: 6, informative: 4, noise: 0, seed: 2)
    #expect(data.inputs.shape == [400, 6] && data.targets.shape == [400, 1])
    // Least squares by plain gradient descent: inputs are normal, so it converges at once.
    var generator = SeededGenerator(seed: 0)
    var network = try Network<Float>(
      inputShape: [6],
      plan: [.dense(1, .linear, .zeros)],
      using: &generator
    )
    var optimizer = Optimizer<Float>(.sgd(learningRate: 0.3))
    var loss = Float.infinity
    for _ in 0..<60 {
      let derivative = network.differentiate(
        .meanSquaredError,
        inputs: data.inputs,
        targets: data.targets,
        using: &generator
      )
      loss = derivative.loss
      optimizer.update(&network, with: derivative.gradients)
    }
    #expect(loss < 1e-3)
    let coefficients = network.parameters[0].value.elements
    #expect(coefficients[..<4].allSatisfy { $0 > 0.5 && $0 < 100 }, "\(coefficients)")
    #expect(coefficients[4...].allSatisfy { $0.magnitude < 0.01 }, "\(coefficients)")
    let features = Moments(data.inputs.elements.map(Double.init))
    #expect(features.mean.magnitude < 0.1 && (features.variance - 1).magnitude < 0.12)
  }

  @Test("the noise of a regression has its standard deviation")
  func regressionNoise() {
    let data = Dataset.makeRegression(count: 4000, features: 2, informative: 0, noise: 7, seed: 3)
    let moments = Moments(data.targets.elements.map(Double.init))
    #expect((moments.variance.squareRoot() - 7).magnitude < 0.4)
  }

  @Test("the same seed gives the same samples, another seed others")
  func seeds() {
    let plans: [(UInt64) -> DataPlan] = [
      { .moons(count: 50, noise: 0.2, seed: $0) },
      { .regression(count: 50, features: 3, informative: 2, noise: 1, seed: $0) },
      { .clusters(count: 50, features: 3, classes: 4, deviation: 0.3, seed: $0) },
      { .gratings(count: 50, size: 6, classes: 3, noise: 0.2, seed: $0) },
      { .recall(count: 50, length: 4, classes: 3, noise: 0.2, seed: $0) },
      { .tokens(count: 50, length: 9, vocabulary: 11, surprise: 0.1, seed: $0) },
    ]
    for makePlan in plans {
      let plan = [makePlan(0), makePlan(0), makePlan(1)]
      #expect(plan[0].makeDataset() == plan[1].makeDataset(), "\(plan[0].name)")
      #expect(plan[0].makeDataset() != plan[2].makeDataset(), "\(plan[0].name)")
      #expect(plan[0].makeDataset().count == plan[0].count)
    }
  }

  @Test("a standardized regression's targets have mean 0 and variance 1")
  func standardized() {
    let data = Dataset.makeRegression(
      count: 200,
      features: 3,
      informative: 3,
      noise: 5,
      seed: 3,
      standardized: true
    )
    let moments = Moments(data.targets.elements.map { Double($0) })
    #expect(moments.mean.magnitude < 1e-6 && (moments.variance - 1).magnitude < 1e-5)
  }
}
