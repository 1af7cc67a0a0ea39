/// What one pass over a tensor adds up.
struct ElementSums {
  var finiteCount: UInt64 = 0
  var sum = 0.0
  var magnitudes = 0.0
  var squares = 0.0
  var min = Double.infinity
  var max = -Double.infinity
  var zeroCount: UInt64 = 0
  var nanCount: UInt64 = 0
  var positiveInfinityCount: UInt64 = 0
  var negativeInfinityCount: UInt64 = 0

  /// The number of elements, finite or not.
  var elementCount: UInt64 {
    finiteCount + nanCount + positiveInfinityCount + negativeInfinityCount
  }

  /// Adds one element.
  @inline(__always)
  mutating func add(_ element: Double) {
    guard element.isFinite else {
      if element.isNaN {
        nanCount += 1
      } else if element > 0 {
        positiveInfinityCount += 1
      } else {
        negativeInfinityCount += 1
      }
      return
    }
    finiteCount += 1
    sum += element
    magnitudes += element.magnitude
    squares += element * element
    if element < min { min = element }
    if element > max { max = element }
    if element == 0 { zeroCount += 1 }
  }
}
