import Detection
import Telemetry
import Testing

@Suite("a detector")
struct DetectorTests {
  @Test("a healthy noisy run of 2000 steps says nothing", arguments: [1, 2, 7])
  func healthy(_ every: Int) throws {
    let net = try Net(depth: 10)
    var watch = try Watch(net.model)
    var noise = Noise(seed: 3)
    for step in stride(from: 0, to: 2000, by: every) {
      let size = Float(noise.factor(2) * 2 / (1 + Double(step) / 200))
      watch.feed(
        net.report(UInt64(step), loss: noise.factor(1.3) * 2.3 / (1 + Double(step) / 100)) {
          size * (0.8 + 0.04 * Float($0))
        }
      )
    }
    #expect(watch.log == [])
  }

  @Test("columns that don't fit the model are ignored, and harm nothing")
  func oddColumns() throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    for step in 0..<40 {
      var report = net.report(UInt64(step))
      switch step % 4 {
      case 0: report.gradients.norm.removeLast()
      case 1: report.gradients.tensorIDs = [999, 0, 1, 2, 3, 4]
      case 2:
        report.gradients.nanCount = [1]
        report.scalars.batchSize = .max
      default: report.parameters.updateNorm = [1, 2, 3]
      }
      watch.feed(report)
    }
    #expect(watch.log == [])
  }

  @Test("a model without tensors can be watched")
  func emptyModel() throws {
    var watch = try Watch(try Model(layers: [], tensors: []))
    for step in 0..<5 {
      let scalars = StepScalars(step: UInt64(step), wallTime: WallTime(clamping: 0))
      watch.feed(StepReport(sequence: UInt64(step) + 1, scalars: scalars))
    }
    #expect(watch.log == [])
  }

  @Test("every rule has an identifier of its own, a sentence, and thresholds within their range")
  func catalogue() {
    let rules = Detector.catalogue
    #expect(Set(rules.map(\.id)).count == rules.count)
    #expect(rules.count == 25)
    for rule in rules {
      #expect(!rule.summary.isEmpty)
      #expect(Set(rule.thresholds.map(\.name)).count == rule.thresholds.count)
      for threshold in rule.thresholds {
        #expect(threshold.range.contains(threshold.standard), "\(rule.id) \(threshold.name)")
        #expect(!threshold.meaning.isEmpty)
      }
    }
  }
}
