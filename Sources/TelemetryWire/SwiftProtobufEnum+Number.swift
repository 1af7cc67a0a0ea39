import SwiftProtobuf

extension SwiftProtobuf.Enum where RawValue == Int {
  /// The case with this number; every number has one in proto3, if only `UNRECOGNIZED`.
  init(number: UInt8) { self = Self(rawValue: Int(number)) ?? Self() }

  /// The floor's case with the same number; `nil` if it has none.
  func known<Case: RawRepresentable>(as type: Case.Type = Case.self) -> Case?
  where Case.RawValue == UInt8 {
    UInt8(exactly: rawValue).flatMap(Case.init(rawValue:))
  }
}
