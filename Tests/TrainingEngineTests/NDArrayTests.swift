import Testing
import TrainingEngine

@Suite("Arrays")
struct NDArrayTests {
  @Test("a product is the sum over the inner dimension, whichever factor is transposed")
  func product() {
    let a = NDArray<Double>(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
    let b = NDArray<Double>(shape: [3, 2], elements: [7, 8, 9, 10, 11, 12])
    let expected = NDArray<Double>(shape: [2, 2], elements: [58, 64, 139, 154])
    let transposedA = NDArray<Double>(shape: [3, 2], elements: [1, 4, 2, 5, 3, 6])
    let transposedB = NDArray<Double>(shape: [2, 3], elements: [7, 9, 11, 8, 10, 12])
    #expect(a.product(b) == expected)
    #expect(transposedA.product(b, transposingSelf: true) == expected)
    #expect(a.product(transposedB, transposingOther: true) == expected)
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

  @Test("a product adds to what is there, and of a sequence it takes the last dimension")
  func addedProduct() {
    let a = NDArray<Float>(shape: [1, 2, 2], elements: [1, 2, 3, 4])
    let b = NDArray<Float>(shape: [2, 1], elements: [5, 6])
    var sum = NDArray<Float>(shape: [1, 2, 1], elements: [100, 200])
    sum.addProduct(a, b)
    #expect(sum == NDArray(shape: [1, 2, 1], elements: [117, 239]))
    let nothing = NDArray<Float>(shape: [0, 2], elements: [])
    #expect(nothing.product(b) == NDArray(shape: [0, 1], elements: []))
    #expect(nothing.product(nothing, transposingSelf: true).elements == [0, 0, 0, 0])
  }

  @Test("a copy keeps its elements when the other changes")
  func copies() {
    let a = NDArray<Float>(shape: [2, 2], elements: [1, 2, 3, 4])
    var sum = a
    sum.addProduct(a, a)
    #expect(a.elements == [1, 2, 3, 4] && sum.elements == [8, 12, 18, 26])
  }

  @Test("products of several threads at once don't disturb each other")
  func concurrentProducts() async {
    let wrong = await withTaskGroup(of: Int.self) { group in
      for thread in 0..<4 {
        group.addTask {
          let size = 6 + 5 * thread
          let matrix = NDArray<Double>.whole([size, size], below: 11)
          // Whole numbers: exact in any order.
          let expected = (0..<size * size).map { place in
            (0..<size).reduce(0) {
              $0 + matrix.elements[place / size * size + $1]
                * matrix.elements[$1 * size + place % size]
            }
          }
          return (0..<100_000).count { _ in matrix.product(matrix).elements != expected }
        }
      }
      return await group.reduce(0, +)
    }
    #expect(wrong == 0)
  }

  @Test("factors that don't fit are a programmer error")
  func misfit() async {
    await #expect(processExitsWith: .failure) {
      let a = NDArray<Float>(repeating: 1, shape: [2, 3])
      _ = a.product(a)
    }
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
