import SwiftProtobuf
import Telemetry
import TelemetryWire
import Testing

@Suite("Numbers of enums")
struct EnumNumberTests {
  /// Expects that two enums have the same cases under the same numbers, but for the wire's 0.
  private func check<Floor, Wire>(
    _: Floor.Type,
    _: Wire.Type
  )
  where
    Floor: RawRepresentable<UInt8> & CaseIterable,
    Wire: SwiftProtobuf.Enum & CaseIterable
  {
    // The generator writes `nanCount` where people write `naNCount`.
    let floor = Dictionary(
      uniqueKeysWithValues: Floor.allCases.map { (Int($0.rawValue), "\($0)".lowercased()) }
    )
    var wire = Dictionary(
      uniqueKeysWithValues: Wire.allCases.map { ($0.rawValue, "\($0)".lowercased()) }
    )
    #expect(wire[0] == "unspecified")
    if floor[0] == nil { wire[0] = nil }
    #expect(floor == wire)
  }

  @Test("every enum has the same names and numbers on the floor and on the wire")
  func numbers() {
    check(TensorRole.self, Gradwatch_V1_TensorRole.self)
    check(RunStatus.self, Gradwatch_V1_RunStatus.self)
    check(Severity.self, Gradwatch_V1_Severity.self)
    check(AlertState.self, Gradwatch_V1_AlertState.self)
    check(TrainingPhase.self, Gradwatch_V1_TrainingPhase.self)
    check(Clipping.Kind.self, Gradwatch_V1_ClippingKind.self)
    check(Metric.self, Gradwatch_V1_Metric.self)
  }

  @Test("a case goes to the wire and comes back as itself")
  func roundTrips() throws {
    for role in TensorRole.allCases {
      #expect(TensorRole(wire: Gradwatch_V1_TensorRole(role)) == role)
    }
    for status in RunStatus.allCases {
      #expect(RunStatus(wire: Gradwatch_V1_RunStatus(status)) == status)
    }
    for severity in Severity.allCases {
      #expect(Severity(wire: Gradwatch_V1_Severity(severity)) == severity)
    }
    for state in AlertState.allCases {
      #expect(AlertState(wire: Gradwatch_V1_AlertState(state)) == state)
    }
    for metric in Metric.allCases {
      let wire = try #require(Gradwatch_V1_Metric(rawValue: Int(metric.rawValue)))
      #expect(Metric(wire: wire) == metric)
    }
    for phase in TrainingPhase.allCases {
      for kind in Clipping.Kind.allCases {
        var report = StepReport(
          sequence: 1,
          scalars: StepScalars(step: 0, wallTime: WallTime(clamping: 1))
        )
        report.scalars.phase = phase
        report.scalars.clipping = Clipping(kind: kind, threshold: 1, clipped: false)
        let back = try StepReport(wire: Gradwatch_V1_StepReport(report).sent())
        #expect(back == report)
      }
    }
  }

  @Test(
    "a number that has no case is none, also if its low byte has one",
    arguments: [-1, 99, 255, 256 + 1, -255, Int(Int32.max), Int(Int32.min)]
  )
  func unknown(number: Int) {
    #expect(TensorRole(wire: .UNRECOGNIZED(number)) == nil)
    #expect(RunStatus(wire: .UNRECOGNIZED(number)) == nil)
    #expect(Severity(wire: .UNRECOGNIZED(number)) == nil)
    #expect(AlertState(wire: .UNRECOGNIZED(number)) == nil)
    #expect(Metric(wire: .UNRECOGNIZED(number)) == nil)
  }

  @Test("unspecified is a role, the default metric, and else nothing")
  func unspecified() {
    #expect(TensorRole(wire: .unspecified) == .unspecified)
    #expect(Metric(wire: .unspecified) == .gradientNorm)
    #expect(RunStatus(wire: .unspecified) == nil)
    #expect(Severity(wire: .unspecified) == nil)
    #expect(AlertState(wire: .unspecified) == nil)
  }
}
