/// A grid of dots, drawn with braille characters (2 by 4 dots each) or, in ASCII, one dot a
/// character.
///
/// Two kinds of dots: of the line, and of the band behind it. A character that holds any dot of the
/// line is drawn as line.
struct DotCanvas {
  /// What a dot is part of.
  enum Layer {
    case line
    case band
  }

  /// The width in dots.
  let width: Int
  /// The height in dots.
  let height: Int
  private let columns: Int
  private let isBraille: Bool
  private var line: [Bool]
  private var band: [Bool]

  /// Makes an empty canvas of so many characters.
  init(columns: Int, rows: Int, isBraille: Bool) {
    self.columns = columns
    self.isBraille = isBraille
    width = columns * (isBraille ? 2 : 1)
    height = rows * (isBraille ? 4 : 1)
    line = Array(repeating: false, count: width * height)
    band = line
  }

  /// Sets the dot `x` dots from the left and `y` from the top; one outside of the canvas is
  /// dropped.
  mutating func set(_ x: Int, _ y: Int, _ layer: Layer) {
    guard (0..<width).contains(x), (0..<height).contains(y) else { return }
    switch layer {
    case .line: line[y * width + x] = true
    case .band: band[y * width + x] = true
    }
  }

  /// Sets the dots of a straight line, both ends included (Bresenham's algorithm).
  mutating func connect(_ start: (x: Int, y: Int), _ end: (x: Int, y: Int), _ layer: Layer) {
    let (dx, dy) = (abs(end.x - start.x), -abs(end.y - start.y))
    let (stepX, stepY) = (start.x < end.x ? 1 : -1, start.y < end.y ? 1 : -1)
    var (x, y, error) = (start.x, start.y, dx + dy)
    while true {
      set(x, y, layer)
      if x == end.x, y == end.y { return }
      let doubled = 2 * error
      if doubled >= dy {
        error += dy
        x += stepX
      }
      if doubled <= dx {
        error += dx
        y += stepY
      }
    }
  }

  /// One row of characters: what is drawn there, and whether a character belongs to the band only.
  func row(_ row: Int) -> [(character: Character, isBand: Bool)] {
    (0..<columns).map { column in
      isBraille ? braille(column: column, row: row) : ascii(column: column, row: row)
    }
  }

  private func ascii(column: Int, row: Int) -> (character: Character, isBand: Bool) {
    let dot = row * width + column
    if line[dot] { return ("*", false) }
    return band[dot] ? (":", true) : (" ", false)
  }

  private func braille(column: Int, row: Int) -> (character: Character, isBand: Bool) {
    // Unicode, "Braille Patterns": the bits of dots 1 to 8, here by row and column.
    let bits: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
    var pattern: UInt32 = 0
    var hasLine = false
    for y in 0..<4 {
      for x in 0..<2 {
        let dot = (row * 4 + y) * width + column * 2 + x
        if line[dot] { hasLine = true }
        if line[dot] || band[dot] { pattern |= bits[y][x] }
      }
    }
    guard pattern != 0, let scalar = Unicode.Scalar(0x2800 + pattern) else { return (" ", false) }
    return (Character(scalar), !hasLine)
  }
}
