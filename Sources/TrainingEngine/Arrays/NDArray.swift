/// Numbers in a shape, row-major: the last dimension runs fastest.
///
/// A value: a copy shares the storage until one of the two changes. NaN and infinities are numbers
/// like any other and flow through every operation as IEEE 754 says.
public struct NDArray<Scalar: TrainingScalar>: Equatable, Sendable {
  /// The dimensions, outermost first; empty for a scalar.
  public let shape: [Int]
  /// The elements, as many as the dimensions multiply to.
  public package(set) var elements: [Scalar]

  /// Gives `elements` a shape.
  ///
  /// It is a programmer error if the dimensions don't multiply to the number of elements.
  public init(shape: [Int], elements: [Scalar]) {
    precondition(
      elements.count == shape.reduce(1, *),
      "array of shape \(shape): expected \(shape.reduce(1, *)) elements, found \(elements.count)"
    )
    self.shape = shape
    self.elements = elements
  }

  /// Makes an array of one repeated number.
  public init(repeating element: Scalar, shape: [Int]) {
    self.init(shape: shape, elements: Array(repeating: element, count: shape.reduce(1, *)))
  }

  /// The number of elements; 1 for a scalar.
  public var count: Int { elements.count }

  /// Lends the elements, row-major, without a copy.
  public func withUnsafeBufferPointer<Result, Failure: Error>(
    _ body: (UnsafeBufferPointer<Scalar>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try elements.withUnsafeBufferPointer(body)
  }
}

extension NDArray {
  /// The number of rows of a matrix: its outermost dimension.
  var rowCount: Int { shape[0] }

  /// The number of elements in one entry of the outermost dimension.
  var rowSize: Int { shape.dropFirst().reduce(1, *) }

  /// Applies a function to every element.
  func map(_ transform: (Scalar) -> Scalar) -> NDArray {
    NDArray(shape: shape, elements: elements.map(transform))
  }

  /// Applies a function to every pair of elements in the same place; the shapes must be equal.
  func combined(with other: NDArray, _ transform: (Scalar, Scalar) -> Scalar) -> NDArray {
    precondition(shape == other.shape, "shapes \(shape) and \(other.shape): expected the same")
    var result = self
    for index in elements.indices {
      result.elements[index] = transform(elements[index], other.elements[index])
    }
    return result
  }

  /// Adds another array of the same shape, element by element.
  mutating func add(_ other: NDArray) {
    precondition(shape == other.shape, "shapes \(shape) and \(other.shape): expected the same")
    for index in elements.indices { elements[index] += other.elements[index] }
  }

  /// Picks entries of the outermost dimension, in the order given: shape `[rows.count, …]`.
  func gathering(rows: ArraySlice<Int>) -> NDArray {
    let size = rowSize
    var gathered: [Scalar] = []
    gathered.reserveCapacity(rows.count * size)
    for row in rows { gathered += elements[row * size..<(row + 1) * size] }
    return NDArray(shape: [rows.count] + shape.dropFirst(), elements: gathered)
  }
}
