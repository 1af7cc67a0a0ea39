/// A span of time: a number and one of `s`, `m`, `h`, `d` and `w`.
struct TimeSpan: DescribedArgument, Sendable, Equatable {
  static let expectation = "a number and one of s, m, h, d and w, such as 30m or 2d"

  var seconds: Double

  init?(argument: String) {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
    guard let last = argument.last, let unit = units[last],
      let number = Double(argument.dropLast()), number >= 0, number.isFinite
    else { return nil }
    seconds = number * unit
  }
}
