#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The natural logarithm, which the standard library lacks.
func naturalLog(_ x: Double) -> Double { log(x) }

/// The logarithm to base 10.
func decimalLog(_ x: Double) -> Double { log10(x) }

/// e^x.
func exponential(_ x: Double) -> Double { exp(x) }

/// x^y.
func power(_ x: Double, _ y: Double) -> Double { pow(x, y) }
