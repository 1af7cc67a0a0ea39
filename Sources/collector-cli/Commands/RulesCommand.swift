import ArgumentParser

/// `collector-cli rules`: what users change about the rules.
struct RulesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules",
    abstract: "List rules, and change thresholds, severities, and where they look.",
    discussion: """
      A rule file is YAML; what it does not name stays as it is:

        rules:
          gradient_spike: off
          dead_relu: {warning_share: 0.9}
          clipping_every_step:
            severities: {info: off, warning: critical}
          vanishing_gradient:
            layers: ["encoder.*"]
            except_layers: ["*.embed"]
            roles: [weight]
        expect:                      # for 'rules test'
          gradient_spike: never
          exploding_gradient: {from: 60, to: 65, severity: critical}

      'rules show RULE' tells a rule's thresholds. A run's set lies above its project's.
      """,
    subcommands: [
      RulesListCommand.self, RulesShowCommand.self, RulesLintCommand.self, RulesSetCommand.self,
      RulesTestCommand.self,
    ]
  )
}
