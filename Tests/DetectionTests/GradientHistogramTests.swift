import Detection
import Telemetry
import Testing

@Suite("gradient_long_tail and gradient_underflow")
struct GradientHistogramTests {
  private static let tail = "gradient_long_tail"
  private static let underflow = "gradient_underflow"

  private func watch(
    steps: Int,
    role: TensorRole = .weight,
    change: (Int, Net, inout StepReport) -> Void
  ) throws -> Watch {
    let net = try Net(depth: 4, role: role)
    var watch = try Watch(net.model)
    for step in 0..<steps {
      var report = net.report(UInt64(step))
      change(step, net, &report)
      watch.feed(report)
    }
    return watch
  }

  /// A median at 2^-5, and 5 of 1000 elements at 2^4: past seed 000's 10.
  private static let long: [UInt64] = [500, 495, 0, 0, 0, 0, 0, 0, 0, 5]
  /// The same median, and nothing above 2^-3.
  private static let usual: [UInt64] = [500, 470, 30]

  @Test("a tail that grows past 10 warns at its tenth report, and resolves")
  func longTail() throws {
    let watch = try watch(steps: 120) { step, net, report in
      report.histograms = net.histograms(
        offset: -5,
        counts: (40..<60).contains(step) ? Self.long : Self.usual
      )
    }
    #expect(
      watch.life(Self.tail) == [
        "pending warning @44", "firing warning @49", "resolved warning @79",
      ]
    )
    let alert = try #require(watch.alerts(Self.tail).first)
    #expect(alert.scope == .run)
    #expect(alert.evidence.facts["share_past_8"] == "0.005")
    #expect(alert.evidence.layers == ["dense_0", "dense_1", "dense_2", "dense_3"])
    #expect(
      alert.remedies.first?.action == "look at the samples of the batch that weigh most"
    )
  }

  @Test("the tail of one layer is that layer's")
  func oneLayer() throws {
    let watch = try watch(steps: 50) { step, net, report in
      var column = net.histograms(offset: -5, counts: Self.usual, tensors: 0..<4)
      column.tensorIDs += [4]
      column.append(
        ExponentialHistogram(
          positive: .init(offset: -5, counts: step < 40 ? Self.usual : Self.long)
        )
      )
      report.histograms = column
    }
    #expect(watch.alerts(Self.tail).map(\.scope) == [.layers(2...2)])
  }

  @Test(
    "tails that are no fault stay silent",
    arguments: [
      "targets not scaled", "small numbers", "embedding", "loss scale", "all grow", "unknown scale",
      "a few reports",
    ]
  )
  func tailTraps(_ trap: String) throws {
    let watch = try watch(steps: 120, role: trap == "embedding" ? .embedding : .weight) {
      step,
      net,
      report in
      let counts = step < 40 ? Self.usual : Self.long
      switch trap {
      case "targets not scaled":
        report.histograms = net.histograms(offset: 4, counts: Self.long)
      case "small numbers": report.histograms = net.histograms(offset: -25, counts: counts)
      case "embedding":
        // Only the tables grow a tail: rare words.
        var column = ExponentialHistogramColumn()
        for tensor in 0..<8 {
          let own = tensor % 2 == 0 ? counts : Self.usual
          column.append(ExponentialHistogram(positive: .init(offset: -5, counts: own)))
        }
        report.histograms = column
      case "loss scale":
        // From step 40 on multiplied by 2^16; the tail grows, but only to 2^-6.
        let isScaled = step >= 40
        report.scalars.lossScale = isScaled ? 65536 : nil
        report.scalars.gradientsAreScaled = isScaled
        report.histograms = net.histograms(offset: isScaled ? 1 : -15, counts: counts)
      case "all grow":
        report.histograms = net.histograms(offset: step < 40 ? -5 : 5, counts: Self.usual)
      case "unknown scale":
        report.scalars.gradientsAreScaled = true
        report.histograms = net.histograms(offset: -5, counts: counts)
      default:
        let isOdd = (40..<44).contains(step)
        report.histograms = net.histograms(offset: -5, counts: isOdd ? Self.long : Self.usual)
      }
    }
    #expect(!watch.log.contains { $0.alert.rule == RuleID(Self.tail) && $0.alert.state == .firing })
  }

  @Test("gradients that end at 2^-24 with a third of zeros warn at the eighth report, and resolve")
  func underflow() throws {
    let watch = try watch(steps: 50) { step, net, report in
      let isLost = step < 20
      report.histograms = net.histograms(
        zeros: isLost ? 400 : 0,
        offset: isLost ? -24 : -30,
        counts: [100, 200, 300]
      )
    }
    #expect(
      watch.life(Self.underflow) == [
        "pending warning @3", "firing warning @7", "resolved warning @39",
      ]
    )
    let alert = try #require(watch.alerts(Self.underflow).first)
    #expect(alert.scope == .run)
    #expect(alert.evidence.observed == 0.4)
    #expect(alert.remedies.first?.action.hasPrefix("use dynamic loss scaling") == true)
  }

  @Test(
    "zeros that are no underflow stay silent",
    arguments: [
      "dead units", "bfloat16", "few zeros", "a quarter of the tensors", "embedding", "all zero",
      "edge alone", "skipped",
    ]
  )
  func underflowTraps(_ trap: String) throws {
    let watch = try watch(steps: 40, role: trap == "embedding" ? .embedding : .weight) {
      step,
      net,
      report in
      let edge = net.histograms(zeros: 400, offset: -24, counts: [100, 200, 300])
      switch trap {
      case "dead units":
        report.histograms = net.histograms(zeros: 900, offset: -18, counts: [100, 200, 300])
      case "bfloat16":
        report.histograms = net.histograms(zeros: 400, offset: -40, counts: [100, 200, 300])
      case "few zeros":
        report.histograms = net.histograms(zeros: 100, offset: -24, counts: [100, 200, 300])
      case "a quarter of the tensors":
        var column = net.histograms(zeros: 400, offset: -24, counts: [600], tensors: 0..<2)
        for tensor in 2..<8 {
          column.tensorIDs.append(UInt32(tensor))
          column.append(ExponentialHistogram(positive: .init(offset: -9, counts: [9])))
        }
        report.histograms = column
      case "embedding":
        // Rows without a token are 0; the biases are whole.
        var column = ExponentialHistogramColumn()
        for tensor in 0..<8 {
          column.append(
            ExponentialHistogram(
              zeroCount: tensor % 2 == 0 ? 900 : 0,
              positive: .init(offset: tensor % 2 == 0 ? -24 : -10, counts: [100])
            )
          )
        }
        report.histograms = column
      case "all zero": report.histograms = net.histograms(zeros: 1024, offset: 0, counts: [])
      case "edge alone":
        // One element of a thousand lies there by chance; the rest is far above.
        report.histograms = net.histograms(
          zeros: 800,
          offset: -24,
          counts: [1] + Array(repeating: 0, count: 12) + [1000]
        )
      default:
        report.histograms = edge
        report.scalars.optimizerSkipped = true
      }
    }
    #expect(watch.life(Self.underflow) == [])
  }
}
