/// Numbers in a shape, row-major: the last dimension runs fastest.
///
/// A value: a copy shares the storage until one of the two changes. NaN and infinities are numbers
/// like any other and flow through every operation as IEEE 754 says.
public struct NDArray<Scalar: TrainingScalar>: Hashable, Sendable {
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

// What runs over all elements is inlined where it is used: there the compiler knows the closure,
// and makes vector instructions of the loop. It does so only where a buffer is a constant, and
// where no sum that might overflow is its index: rows are cut out of a buffer first.
extension NDArray {
  /// Lends the elements to be changed.
  @inline(__always)
  mutating func withMutableElements(_ body: (UnsafeMutableBufferPointer<Scalar>) -> Void) {
    elements.withUnsafeMutableBufferPointer { body($0) }
  }

  /// Makes an array whose every element `write` sets; before that, they are no numbers at all.
  @inline(__always)
  init(shape: [Int], _ write: (UnsafeMutableBufferPointer<Scalar>) -> Void) {
    let count = shape.reduce(1, *)
    let elements = [Scalar](unsafeUninitializedCapacity: count) { buffer, initialized in
      write(buffer)
      initialized = count
    }
    self.init(shape: shape, elements: elements)
  }

  /// The number of rows of a matrix: its outermost dimension.
  var rowCount: Int { shape[0] }

  /// The number of elements in one entry of the outermost dimension.
  var rowSize: Int { shape.dropFirst().reduce(1, *) }

  /// The innermost dimension, along which features run; 1 for a scalar.
  var lastDimension: Int { shape.last ?? 1 }

  /// The number of rows of the matrix `[everything else, last dimension]`.
  var rowsOfLastDimension: Int { lastDimension == 0 ? 0 : count / lastDimension }

  /// Returns the same numbers in another shape, without a copy.
  func reshaped(_ shape: [Int]) -> NDArray { NDArray(shape: shape, elements: elements) }

  /// Applies a function to every element.
  @inline(__always)
  func map(_ transform: (Scalar) -> Scalar) -> NDArray {
    NDArray(shape: shape) { result in
      withUnsafeBufferPointer { elements in
        for index in elements.indices { result[index] = transform(elements[index]) }
      }
    }
  }

  /// Applies a function to every pair of elements in the same place; the shapes must be equal.
  @inline(__always)
  func combined(with other: NDArray, _ transform: (Scalar, Scalar) -> Scalar) -> NDArray {
    precondition(shape == other.shape, "shapes \(shape) and \(other.shape): expected the same")
    return NDArray(shape: shape) { result in
      withUnsafeBufferPointer { left in
        other.withUnsafeBufferPointer { right in
          for index in left.indices { result[index] = transform(left[index], right[index]) }
        }
      }
    }
  }

  /// Adds another array of the same shape, element by element.
  mutating func add(_ other: NDArray) {
    precondition(shape == other.shape, "shapes \(shape) and \(other.shape): expected the same")
    withMutableElements { sums in
      other.withUnsafeBufferPointer { terms in
        for index in sums.indices { sums[index] += terms[index] }
      }
    }
  }
}
