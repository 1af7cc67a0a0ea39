import TrainingEngine

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

extension NDArray<Double> {
  /// A sequence without a pattern that a mistake could hide in: amplitude · sin(0.37 (i + 1)² +
  /// seed).
  ///
  /// `make_oracle.py` makes the same one.
  static func wave(_ shape: [Int], seed: Double, amplitude: Double = 1) -> NDArray {
    let elements = (0..<shape.reduce(1, *)).map { index in
      let place = Double(index + 1)
      return amplitude * sin(0.37 * (place * place) + seed)
    }
    return NDArray(shape: shape, elements: elements)
  }

  /// Whole numbers from 0: (7 i + 3) mod `bound`.
  static func whole(_ shape: [Int], below bound: Int) -> NDArray {
    NDArray(
      shape: shape,
      elements: (0..<shape.reduce(1, *)).map { Double((7 * $0 + 3) % bound) }
    )
  }
}
