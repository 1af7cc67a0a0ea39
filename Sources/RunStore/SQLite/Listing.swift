import GRDB

/// A query for one page of a table, the newest row first.
///
/// Keys ascend as rows are made, so a page ends at a key, and the next one starts below it.
struct Listing {
  private let columns: String
  private let table: String
  private let size: Int
  private var conditions: [String] = []
  private var values: [SQLValue] = []

  /// A listing of a table whose first column is its `key`.
  init(columns: String, table: String, page: PageRequest) {
    self.columns = columns
    self.table = table
    // One row is read beyond the page, to know whether there is a next one.
    size = Swift.min(Swift.max(page.size, 1), Int(Int32.max))
    if let after = page.after { require("key < ?", .integer(after)) }
  }

  /// Adds a condition with one value for each question mark.
  mutating func require(_ condition: String, _ values: SQLValue...) {
    require(condition, values)
  }

  /// Adds the condition that a column has one of some values; none is no condition.
  mutating func require(_ column: String, in values: [SQLValue]) {
    guard !values.isEmpty else { return }
    // Repeated up to a power of two: a statement is kept for each text that there ever was.
    var count = 1
    while count < values.count { count *= 2 }
    let padded = values + Array(repeating: values[0], count: count - values.count)
    let marks = padded.map { _ in "?" }.joined(separator: ", ")
    require("\(column) IN (\(marks))", padded)
  }

  private mutating func require(_ condition: String, _ values: [SQLValue]) {
    conditions.append(condition)
    self.values += values
  }

  /// The bytes of rows past which a page ends, though more were asked for.
  private static let maximumBytes = 2 << 20

  /// Runs the query.
  ///
  /// - Parameters:
  ///   - db: Where to read.
  ///   - bytes: About how many bytes a row's entry takes; a page of large ones has fewer.
  ///   - item: Makes a row's entry; `nil` leaves it out.
  /// - Returns: The page.
  /// - Throws: What SQLite or `item` throws.
  func page<Item>(
    in db: Database,
    size bytes: (SQLRow) -> Int = { _ in 0 },
    _ item: (SQLRow) throws -> Item?
  ) throws -> Page<Item> {
    let filter = conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND "))"
    let sql = "SELECT \(columns) FROM \(table) \(filter) ORDER BY key DESC LIMIT ?"
    var page = Page<Item>(items: [], next: nil)
    var last: Int64 = 0
    var (rows, total) = (0, 0)
    try db.rows(sql, values + [.integer(Int64(size) + 1)]) { row in
      total += bytes(row)
      guard rows < size, page.items.isEmpty || total <= Self.maximumBytes else {
        page.next = last
        return false
      }
      rows += 1
      last = row.integer(0)
      if let item = try item(row) { page.items.append(item) }
      return true
    }
    return page
  }
}
