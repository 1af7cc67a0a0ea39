/// The mean and the population variance of a sample.
struct Moments {
  let mean: Double
  let variance: Double

  init(_ sample: [Double]) {
    let mean = sample.reduce(0, +) / Double(sample.count)
    self.mean = mean
    variance = sample.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(sample.count)
  }
}
