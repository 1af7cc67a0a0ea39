import Detection
import Telemetry
import Testing

@Suite("uniformly_small_gradient")
struct UniformlySmallGradientTests {
  private static let rule = "uniformly_small_gradient"

  @Test("gradients of 1e-8 of their weights in all layers warn at the twentieth judged report")
  func small() throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    for step in 0..<30 {
      watch.feed(net.report(UInt64(step), loss: 2.3, update: 1e-9) { _ in 8e-8 })
    }
    #expect(watch.life(Self.rule).last == "firing warning @24")
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.evidence.layers.count == 4)
    #expect(alert.remedies.first?.action.hasPrefix("check what scales the loss") == true)
  }

  @Test("exact zeros in all weights are critical at the fifth report")
  func zeros() throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    for step in 0..<8 { watch.feed(net.report(UInt64(step), loss: 2.3, update: 0) { _ in 0 }) }
    #expect(watch.life(Self.rule).last == "firing critical @4")
    #expect(watch.open(Self.rule)?.summary.contains("exactly zero since step 0") == true)
  }

  @Test("it resolves after 20 healthy reports")
  func resolves() throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    for step in 0..<60 {
      watch.feed(
        net.report(UInt64(step), loss: 2.3, update: 1e-9) { _ in step < 30 ? 8e-8 : 0.1 }
      )
    }
    #expect(watch.life(Self.rule).last == "resolved warning @49")
  }

  @Test(
    "traps stay silent",
    arguments: ["converged", "Adam", "only the first layers", "dead layer", "scaled", "no loss"]
  )
  func traps(_ trap: String) throws {
    // Eleven small layers of twelve are nearly all.
    let net = try Net(depth: 12)
    var watch = try Watch(net.model)
    for step in 0..<80 {
      let size: Float = trap == "dead layer" ? 0 : 8e-8
      let loss: Double? =
        trap == "converged" ? (step < 10 ? 2.3 : 1e-6) : trap == "no loss" ? nil : 2.3
      let update: Float = trap == "Adam" ? 0.008 : 1e-9
      var report = net.report(UInt64(step), loss: loss, update: update) { layer in
        if trap == "converged", step < 10 { return 0.1 }
        return trap == "only the first layers" && layer == 11 ? 0.1 : size
      }
      if trap == "dead layer" {
        report.activations.deadUnitFraction = [0.2] + Array(repeating: 1, count: 10) + [.nan]
      }
      if trap == "scaled" {
        // The client says that the scale is still in them, but not which.
        report.scalars.gradientsAreScaled = true
      }
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == [])
  }
}
