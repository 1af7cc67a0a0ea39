import Foundation
import RuleFile

extension RuleFile {
  /// Reads a file.
  ///
  /// - Parameter path: The file; `-` is standard input.
  /// - Throws: ``RuleFileError`` for what it says, ``CommandFailure`` if it can't be read.
  init(path: String) throws {
    let bytes: [UInt8]
    do {
      let handle =
        path == "-"
        ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(filePath: path))
      // One byte more than may be there: the parser says what is too much.
      bytes = Array(try handle.read(upToCount: Self.maximumBytes + 1) ?? Data())
    } catch {
      throw CommandFailure(
        .usage,
        "\(path): expected a file that can be read: \(error.localizedDescription)"
      )
    }
    try self.init(parsing: bytes, name: path)
  }

  /// Reads a file that a command needs; its problems go to standard error, a line each.
  ///
  /// - Throws: ``CommandFailure`` if there is any.
  static func required(at path: String) throws -> RuleFile {
    do {
      return try RuleFile(path: path)
    } catch let error as RuleFileError {
      for problem in error.problems { Diagnostics.write("\(path):\(problem)") }
      throw CommandFailure(.faultFound, error.summary)
    }
  }
}

extension RuleFileError {
  /// How many problems there are.
  var summary: String {
    "\(file): expected no problem, found \(problems.count)"
      + (problems.count == Self.maximumProblems ? " or more" : "")
  }
}
