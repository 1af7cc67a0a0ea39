import ArgumentParser

/// An argument's type that says what it takes when it is given something else.
///
/// Use it as `@Option(transform: Type.parse)`; the parser's own error names only the option and what was found.
protocol DescribedArgument {
  /// What it takes, in words that follow "expected".
  static var expectation: String { get }

  /// Takes a text; `nil` for one that is not as expected.
  init?(argument: String)
}

extension DescribedArgument {
  /// Takes a text.
  ///
  /// - Throws: `ValidationError` that says what was expected.
  static func parse(_ argument: String) throws -> Self {
    guard let value = Self(argument: argument) else {
      throw ValidationError("expected \(expectation)")
    }
    return value
  }
}

extension DescribedArgument where Self: FixedWidthInteger {
  static var expectation: String { "a whole number from \(min) to \(max)" }
}

extension UInt32: DescribedArgument {}
extension UInt64: DescribedArgument {}

extension Double: DescribedArgument {
  static var expectation: String { "a number" }
}
