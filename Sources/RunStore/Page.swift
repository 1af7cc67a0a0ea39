/// What part of a listing is wanted.
public struct PageRequest: Sendable, Equatable {
  /// The most entries to return, at least 1.
  public var size: Int
  /// Where the page before ended; `nil` for the first page.
  public var after: Int64?

  /// Makes a request.
  public init(size: Int, after: Int64? = nil) {
    self.size = size
    self.after = after
  }
}

/// A part of a listing.
public struct Page<Item: Sendable>: Sendable {
  /// The entries.
  public var items: [Item]
  /// What to ask the next page with; `nil` if this is the last.
  public var next: Int64?

  /// Makes a page.
  public init(items: [Item], next: Int64?) {
    self.items = items
    self.next = next
  }
}
