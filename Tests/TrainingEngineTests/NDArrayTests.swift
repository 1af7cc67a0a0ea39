import Testing
import TrainingEngine

@Suite("Arrays")
struct NDArrayTests {
  @Test("a product is the sum over the inner dimension, whichever factor is transposed")
  func product() {
    let a = NDArray<Double>(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
    let b = NDArray<Double>(shape: [3, 2], elements: [7, 8, 9, 10, 11, 12])
    let expected = NDArray<Double>(shape: [2, 2], elements: [58, 64, 139, 154])
    #expect(a.product(b) == expected)
    #expect(a.transposed().product(b, transposingSelf: true) == expected)
    #expect(a.product(b.transposed(), transposingOther: true) == expected)
  }

  @Test("a transposed matrix has its rows as columns")
  func transposed() {
    let a = NDArray<Double>(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
    #expect(a.transposed() == NDArray(shape: [3, 2], elements: [1, 4, 2, 5, 3, 6]))
  }

  @Test("a large product equals one summed element by element")
  func largeProduct() {
    var generator = SeededGenerator(seed: 5)
    let (a, b) = (
      NDArray<Double>.random([17, 33], using: &generator),
      NDArray<Double>.random([33, 29], using: &generator)
    )
    var expected = [Double](repeating: 0, count: 17 * 29)
    for row in 0..<17 {
      for column in 0..<29 {
        for inner in 0..<33 {
          expected[row * 29 + column] +=
            a.elements[row * 33 + inner] * b.elements[inner * 29 + column]
        }
      }
    }
    let product = a.product(b)
    #expect(product.shape == [17, 29])
    expectClose(product.elements, expected, tolerance: 1e-13, "product")
  }

  @Test("elements are lent row by row")
  func lending() {
    let a = NDArray<Float>(shape: [2, 2], elements: [1, 2, 3, 4])
    #expect(a.withUnsafeBufferPointer { Array($0) } == [1, 2, 3, 4])
    #expect(NDArray<Float>(shape: [], elements: [7]).count == 1)
  }

  @Test("an array whose shape does not fit its elements is a programmer error")
  func mismatch() async {
    await #expect(processExitsWith: .failure) {
      _ = NDArray<Float>(shape: [2, 3], elements: [1, 2, 3])
    }
  }
}
