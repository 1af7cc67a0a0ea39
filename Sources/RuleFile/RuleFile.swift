public import Telemetry

/// A file in which a user changes rules, and may say what is expected of them; YAML.
///
/// ```yaml
/// rules:
///   gradient_spike: off                # not looked at; `on` if a set below switched it off
///   dead_relu: {warning_share: 0.9}    # a threshold, by the name that `rules show` gives it
///   clipping_every_step:
///     severities: {info: off, warning: critical}   # off: such findings raise nothing
///   vanishing_gradient:
///     enabled: on                      # `on` or `off` beside other settings
///     layers: ["encoder.*"]            # only these; * any text, ? any one character
///     except_layers: ["*.embed"]       # but not these
///     roles: [weight, recurrent]       # only tensors with one of these roles
/// expect:                              # optional, for `rules test`
///   gradient_spike: never
///   exploding_gradient: {from: 60, to: 65, severity: critical}
///   dead_relu: fires
/// ```
///
/// What is not named stays as it is: in a project's file as the rule comes, in a run's file as the
/// project has it. Anchors and aliases are not part of the format.
public struct RuleFile: Hashable, Sendable {
  /// What the file changes; every name is known, every threshold within its range.
  public var rules: RuleSet
  /// What the file expects of a recorded run, sorted by rule.
  public var expectations: [RuleExpectation]

  /// The most bytes of a file: every rule with every setting takes some 20 KiB.
  public static let maximumBytes = 256 << 10

  /// Takes the content of a file.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8; any bytes give a file or an error.
  ///   - name: What errors call the file.
  /// - Throws: ``RuleFileError`` with every problem that was found. The caller shows them all.
  public init(parsing bytes: [UInt8], name: String) throws(RuleFileError) {
    var reader = RuleFileReader()
    guard let file = reader.read(bytes), reader.problems.isEmpty else {
      throw RuleFileError(file: name, problems: reader.problems)
    }
    self = file
  }

  /// Makes a file.
  ///
  /// - Parameters:
  ///   - rules: What it changes.
  ///   - expectations: What it expects.
  public init(rules: RuleSet, expectations: [RuleExpectation] = []) {
    self.rules = rules
    self.expectations = expectations.sorted { $0.rule < $1.rule }
  }
}
