import SwiftProtobuf
import Telemetry
import TelemetryWire
import Testing

@Suite("Alerts over the wire")
struct AlertWireTests {
  private func evidence(observed: Double = 12.5) -> Evidence {
    Evidence(
      quantity: "gradient norm",
      observed: observed,
      baseline: 1.5,
      threshold: 10,
      firstStep: 40,
      lastStep: 45,
      recent: [.init(step: 44, value: 11), .init(step: 45, value: 12.5)],
      layers: ["hidden", "output"],
      tensors: ["output.weight"],
      facts: ["nan": "3", "inf": "0"]
    )
  }

  private func alert(scope: AlertScope = .layers(1...3), observed: Double = 12.5) -> Alert {
    Alert(
      run: RunID(stored: "run-1"),
      producer: ProducerID(stored: "rank-0"),
      rule: RuleID("exploding_gradient"),
      severity: .critical,
      scope: scope,
      summary: "the norm explodes",
      cause: "the rate is too high",
      confidence: 0.75,
      evidence: evidence(observed: observed),
      remedies: [
        Remedy(action: "lower the rate", reason: "it is high"),
        Remedy(action: "clip", reason: "it bounds the step"),
      ],
      firstStep: 41,
      startedAt: WallTime(clamping: 100.5)
    )
  }

  /// An alert that has been through everything, with another value in every member.
  private func resolved() -> Alert {
    var alert = alert()
    alert.state = .resolved
    alert.firedStep = 42
    alert.resolvedStep = 43
    alert.firedAt = WallTime(clamping: 101)
    alert.acknowledgedAt = WallTime(clamping: 102)
    alert.acknowledgedBy = "ada"
    alert.resolvedAt = WallTime(clamping: 103)
    alert.reopenedCount = 2
    return alert
  }

  @Test(
    "an alert comes back as it was, whatever its scope",
    arguments: [
      .run, .layers(0...0), .layers(0...(.max)), .layers(2...5), .tensor(0), .tensor(.max),
    ] as [AlertScope]
  )
  func scopes(scope: AlertScope) throws {
    let alert = alert(scope: scope)
    let back = try Alert(wire: Gradwatch_V1_Alert(alert).sent())
    #expect(back == alert)
    #expect(back.firedStep == nil && back.firedAt == nil && back.acknowledgedAt == nil)
  }

  @Test("an alert that was fired, acknowledged, resolved and reopened comes back as it was")
  func wholeLife() throws {
    let alert = resolved()
    #expect(try Alert(wire: Gradwatch_V1_Alert(alert).sent()) == alert)
  }

  @Test("a step of 0 and a time of 0 are not absent")
  func zeros() throws {
    var alert = resolved()
    (alert.firedStep, alert.resolvedStep) = (0, 0)
    (alert.firedAt, alert.resolvedAt) = (WallTime(clamping: 0), WallTime(clamping: 0))
    (alert.evidence.baseline, alert.evidence.threshold) = (0, 0)
    #expect(try Alert(wire: Gradwatch_V1_Alert(alert).sent()) == alert)
    (alert.evidence.baseline, alert.evidence.threshold) = (nil, nil)
    #expect(try Alert(wire: Gradwatch_V1_Alert(alert).sent()) == alert)
  }

  @Test("an alert's members are in the fields of their names")
  func fields() throws {
    #expect(
      try Gradwatch_V1_Alert(resolved()).json() == """
        {"alert_id":"\(resolved().id)","run_id":"run-1","producer_id":"rank-0",\
        "rule":"exploding_gradient","severity":"SEVERITY_CRITICAL",\
        "state":"ALERT_STATE_RESOLVED","scope":{"layers":{"first_layer_id":1,"last_layer_id":3}},\
        "summary":"the norm explodes","cause":"the rate is too high","confidence":0.75,\
        "evidence":{"quantity":"gradient norm","observed":12.5,"baseline":1.5,"threshold":10.0,\
        "first_step":"40","last_step":"45","recent":[{"step":"44","value":11.0},\
        {"step":"45","value":12.5}],"layers":["hidden","output"],"tensors":["output.weight"],\
        "facts":{"inf":"0","nan":"3"}},"remedies":[{"action":"lower the rate",\
        "reason":"it is high"},{"action":"clip","reason":"it bounds the step"}],\
        "first_step":"41","fired_step":"42","resolved_step":"43",\
        "started_at":"1970-01-01T00:01:40.500Z","fired_at":"1970-01-01T00:01:41Z",\
        "acknowledged_at":"1970-01-01T00:01:42Z","acknowledged_by":"ada",\
        "resolved_at":"1970-01-01T00:01:43Z","reopened_count":2}
        """
    )
    #expect(!Gradwatch_V1_Alert(alert(scope: .run)).hasScope)
  }

  @Test("evidence that is NaN or infinite is kept bit for bit")
  func nonFiniteEvidence() throws {
    let values = [Double(bitPattern: 0x7ff8_0000_0000_1234), .infinity, -.infinity, -0.0]
    for value in values {
      var alert = alert(observed: value)
      alert.evidence.baseline = value
      alert.evidence.threshold = value
      alert.evidence.recent = [.init(step: 1, value: value)]
      let wire = try Gradwatch_V1_Alert(alert).sent()
      let back = try Alert(wire: wire).evidence
      let found = [back.observed, back.baseline, back.threshold, back.recent.first?.value]
      #expect(found.allSatisfy { $0?.bitPattern == value.bitPattern })
      #expect(try Gradwatch_V1_Alert(Alert(wire: wire)).bytes() == wire.bytes())
    }
  }

  @Test("an identifier from the wire is kept, not derived again")
  func identifier() throws {
    var wire = Gradwatch_V1_Alert(alert())
    wire.alertID = "0123456789abcdef"
    #expect(try Alert(wire: wire).id == AlertID("0123456789abcdef"))
  }

  @Test("a severity or state that is not known is refused", arguments: [0, 5, 258, -1])
  func unknownEnums(number: Int) throws {
    var wire = Gradwatch_V1_Alert(alert())
    wire.severity = number == 0 ? .unspecified : .UNRECOGNIZED(number)
    #expect(
      throws: TelemetryError.outOfRange(
        field: "alert.severity",
        expected: "a known severity",
        found: "\(number)"
      )
    ) { try Alert(wire: wire) }
    wire = Gradwatch_V1_Alert(alert())
    wire.state = number == 0 ? .unspecified : .UNRECOGNIZED(number)
    #expect(
      throws: TelemetryError.outOfRange(
        field: "alert.state",
        expected: "a known state",
        found: "\(number)"
      )
    ) { try Alert(wire: wire) }
  }

  @Test("a range of layers that ends before it begins is refused")
  func reversedRange() throws {
    var wire = Gradwatch_V1_Alert(alert())
    wire.scope.layers = .with { ($0.firstLayerID, $0.lastLayerID) = (3, 2) }
    #expect(
      throws: TelemetryError.outOfRange(
        field: "alert.scope.layers",
        expected: "a first layer that is not after the last",
        found: "3 to 2"
      )
    ) { try Alert(wire: wire) }
  }

  @Test("a transition comes back as it was, from every state and from none")
  func transitions() throws {
    for from in AlertState.allCases.map(Optional.some) + [nil] {
      let transition = AlertTransition(
        alert: resolved(),
        from: from,
        step: .max,
        at: WallTime(clamping: 250.25)
      )
      let wire = try Gradwatch_V1_AlertTransition(transition, cursor: 17).sent()
      #expect(wire.cursor == 17)
      #expect(wire.fromState.rawValue == Int(from?.rawValue ?? 0))
      #expect(try AlertTransition(wire: wire) == transition)
    }
  }

  @Test("a transition of a bad alert is refused")
  func badTransition() {
    let error = #expect(throws: TelemetryError.self) { try AlertTransition(wire: .init()) }
    #expect(error?.field == "alert.severity")
  }

  @Test("a histogram goes to the form of the wire in which it was taken")
  func histogramForms() throws {
    let exponential = ExponentialHistogram(
      scale: -3,
      zeroCount: 4,
      positive: .init(offset: -5, counts: [6]),
      negative: .init(offset: 7, counts: [8, 9])
    )
    #expect(
      Gradwatch_V1_HistogramPoint.OneOf_Form(.exponential(exponential))
        == .exponential(
          .with {
            ($0.scale, $0.zeroCount) = (-3, 4)
            ($0.positiveOffset, $0.positiveCounts) = (-5, [6])
            ($0.negativeOffset, $0.negativeCounts) = (7, [8, 9])
          }
        )
    )
    #expect(
      Gradwatch_V1_HistogramPoint.OneOf_Form(.explicit(.init(bounds: [0.5], counts: [1, 2])))
        == .explicit(.with { ($0.bounds, $0.counts) = ([0.5], [1, 2]) })
    )
  }
}
