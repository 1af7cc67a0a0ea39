/// A number of bytes: a number, and perhaps a unit, `kB` to `TB` or `KiB` to `TiB`.
struct ByteCount: DescribedArgument, Sendable, Equatable {
  static let expectation = "a number of bytes, perhaps with a unit, such as 500MB or 20GiB"

  var bytes: UInt64

  init?(argument: String) {
    let units: [(String, Double)] = [
      ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776),
      ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1), ("", 1),
    ]
    guard let (unit, factor) = units.first(where: { argument.hasSuffix($0.0) }),
      let number = Double(argument.dropLast(unit.count)), number >= 0, number * factor < 9e18
    else { return nil }
    bytes = UInt64(number * factor)
  }
}
