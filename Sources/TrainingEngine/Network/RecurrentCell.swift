/// What a recurrent layer does at each time step.
public enum RecurrentCell: Hashable, Sendable {
  /// h' = f(x W + h U + b).
  case plain(Activation)
  /// Long short-term memory, ``Tape/longShortTermMemory(gates:state:)``.
  case longShortTermMemory
  /// Gated recurrent unit, ``Tape/gatedUnit(input:recurrent:state:)``.
  case gatedUnit

  /// The number of sums that each unit needs.
  var gateCount: Int {
    switch self {
    case .plain: 1
    case .longShortTermMemory: 4
    case .gatedUnit: 3
    }
  }
}
