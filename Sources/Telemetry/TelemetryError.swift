/// What is wrong with a value that came from outside: the place, the expected and the found.
///
/// Every case is permanent: the sender must not send the same value again.
public enum TelemetryError: Error, Equatable, Sendable {
  /// A field holds a value outside of what its documentation allows.
  case outOfRange(field: String, expected: String, found: String)
  /// A column has another length than the tensors or layers that it speaks of.
  case columnLength(column: String, expected: Int, found: Int)
  /// A report names a tensor or layer that the run's model does not have.
  case unknownIndex(column: String, index: Int, count: Int)
  /// A histogram's counts do not add up to the tensor's element count.
  case histogramTotal(tensor: String, expected: UInt64, found: UInt64)

  /// The field or column at fault, as the protos name it.
  public var field: String {
    switch self {
    case .outOfRange(let field, _, _): field
    case .columnLength(let column, _, _): column
    case .unknownIndex(let column, _, _): column
    case .histogramTotal(let tensor, _, _): "histograms of tensor \(tensor)"
    }
  }
}

extension TelemetryError: CustomStringConvertible {
  /// The place, the expected and the found, as one fragment.
  public var description: String {
    switch self {
    case .outOfRange(let field, let expected, let found):
      "\(field): expected \(expected), found \(found)"
    case .columnLength(let column, let expected, let found):
      "\(column): expected \(expected) values, found \(found)"
    case .unknownIndex(let column, let index, let count):
      "\(column): expected an index below \(count), found \(index)"
    case .histogramTotal(let tensor, let expected, let found):
      "histogram of tensor \(tensor): expected counts that add up to its \(expected) elements, found \(found)"
    }
  }
}
