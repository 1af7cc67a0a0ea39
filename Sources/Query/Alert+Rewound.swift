import Telemetry

extension Alert {
  /// Whether the steps that it speaks of were gone back over, so that they never happened.
  var wasRewound: Bool { evidence.facts["resolution"] == "rewound" }
}
