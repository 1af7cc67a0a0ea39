import Synchronization

#if canImport(Accelerate)
import Accelerate
#else
import CBLAS
#endif

// BLAS: `cblas_?gemm`, C = α A B + β C, row-major. A product of fewer than 2³¹ rows and columns;
// larger ones do not fit in memory that this engine is made for.
extension Float {
  /// Computes C += A · B.
  public static func addProduct(
    _ left: UnsafePointer<Float>,
    _ right: UnsafePointer<Float>,
    transposingLeft: Bool,
    transposingRight: Bool,
    into result: UnsafeMutablePointer<Float>,
    rows: Int,
    depth: Int,
    columns: Int
  ) {
    withBLAS {
      cblas_sgemm(
        CblasRowMajor,
        transposingLeft ? CblasTrans : CblasNoTrans,
        transposingRight ? CblasTrans : CblasNoTrans,
        BLASInteger(rows),
        BLASInteger(columns),
        BLASInteger(depth),
        1,
        left,
        BLASInteger(transposingLeft ? rows : depth),
        right,
        BLASInteger(transposingRight ? depth : columns),
        1,
        result,
        BLASInteger(columns)
      )
    }
  }
}

extension Double {
  /// Computes C += A · B.
  public static func addProduct(
    _ left: UnsafePointer<Double>,
    _ right: UnsafePointer<Double>,
    transposingLeft: Bool,
    transposingRight: Bool,
    into result: UnsafeMutablePointer<Double>,
    rows: Int,
    depth: Int,
    columns: Int
  ) {
    withBLAS {
      cblas_dgemm(
        CblasRowMajor,
        transposingLeft ? CblasTrans : CblasNoTrans,
        transposingRight ? CblasTrans : CblasNoTrans,
        BLASInteger(rows),
        BLASInteger(columns),
        BLASInteger(depth),
        1,
        left,
        BLASInteger(transposingLeft ? rows : depth),
        right,
        BLASInteger(transposingRight ? depth : columns),
        1,
        result,
        BLASInteger(columns)
      )
    }
  }
}

#if canImport(Accelerate)
private typealias BLASInteger = __LAPACK_int

private func withBLAS(_ multiply: () -> Void) { multiply() }
#else
private typealias BLASInteger = blasint

/// Lets one thread at a time multiply.
///
/// OpenBLAS's serial build hands its work space out without a lock: of the products of four threads
/// at once, one in a hundred was wrong (0.3.21, matrices of 6 to 21 rows).
private let openBLAS = Mutex(())

private func withBLAS(_ multiply: () -> Void) { openBLAS.withLock { _ in multiply() } }
#endif
