import SwiftProtobuf
public import Telemetry

// The raw values of the floor's enums are those of the protos (a test holds them together), so a
// conversion is a change of type; `UNRECOGNIZED` keeps the number either way.

extension Gradwatch_V1_TrainingPhase {
  init(_ phase: TrainingPhase) { self.init(number: phase.rawValue) }
}

extension Gradwatch_V1_ClippingKind {
  init(_ kind: Clipping.Kind) { self.init(number: kind.rawValue) }
}

extension Gradwatch_V1_TensorRole {
  /// Makes the wire form of a role.
  public init(_ role: TensorRole) { self.init(number: role.rawValue) }
}

extension Gradwatch_V1_RunStatus {
  /// Makes the wire form of a status.
  public init(_ status: RunStatus) { self.init(number: status.rawValue) }
}

extension Gradwatch_V1_Severity {
  /// Makes the wire form of a severity.
  public init(_ severity: Severity) { self.init(number: severity.rawValue) }
}

extension Gradwatch_V1_AlertState {
  /// Makes the wire form of a state.
  public init(_ state: AlertState) { self.init(number: state.rawValue) }
}

extension Severity {
  /// Takes a severity from the wire; `nil` if it is unspecified or unknown.
  public init?(wire: Gradwatch_V1_Severity) {
    guard let known: Self = wire.known() else { return nil }
    self = known
  }
}

extension AlertState {
  /// Takes a state from the wire; `nil` if it is unspecified or unknown.
  public init?(wire: Gradwatch_V1_AlertState) {
    guard let known: Self = wire.known() else { return nil }
    self = known
  }
}

extension RunStatus {
  /// Takes a status from the wire; `nil` if it is unspecified or unknown.
  public init?(wire: Gradwatch_V1_RunStatus) {
    guard let known: Self = wire.known() else { return nil }
    self = known
  }
}

extension TensorRole {
  /// Takes a role from the wire; `nil` if it is unknown.
  public init?(wire: Gradwatch_V1_TensorRole) {
    guard let known: Self = wire.known() else { return nil }
    self = known
  }
}

extension Metric {
  /// Takes a metric from the wire, the gradient norm if it is unspecified; `nil` if it is unknown.
  public init?(wire: Gradwatch_V1_Metric) {
    if wire == .unspecified {
      self = .gradientNorm
    } else {
      guard let known: Self = wire.known() else { return nil }
      self = known
    }
  }
}
