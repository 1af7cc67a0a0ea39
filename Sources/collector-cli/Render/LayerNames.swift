/// Layers in words.
enum LayerNames {
  /// Some names in forward order: all of one or two, else the first, the last and their number; empty for none.
  static func words(_ names: [String]) -> String {
    guard let first = names.first, let last = names.last, names.count > 2 else {
      return names.joined(separator: ", ")
    }
    return "\(first) to \(last) (\(names.count) layers)"
  }
}
