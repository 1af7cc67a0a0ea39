extension RuleSettings {
  /// The most globs of ``layers`` and of ``exceptLayers``; each is a proper ``Name``.
  ///
  /// Every glob is held against every layer when a detector is made; nobody writes more by hand.
  public static let maximumGlobs = 256
}
