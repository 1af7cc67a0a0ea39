extension Alert {
  /// What the fact `resolution` is of an alert whose steps the producer went back over.
  public static let rewound = "rewound"

  /// Whether the steps that it speaks of were gone back over, so that they never happened.
  public var wasRewound: Bool { evidence.facts["resolution"] == Self.rewound }
}
