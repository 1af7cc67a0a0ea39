import ArgumentParser
import Foundation
import SpoolFile

/// `import spool`.
struct ImportSpoolCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spool",
    abstract: "Stream what clients wrote while they had no collector.",
    discussion: """
      A spool has its run's id, project and process in it. A repeated import sends only what the \
      collector does not have. A run that was online can't go on offline under its id: the spool \
      counts its reports from 1, and is refused. The run ends as the spool says; if it does not \
      say, the run goes on. Of a file that ends within a record, because its process died or is \
      still at work, what comes before is imported, with a warning; of one that is damaged too, \
      with exit status 2. A report that no collector takes is named, the others are imported, and \
      the exit status is 2. A file that can't be imported does not keep the others from it. Output \
      as of 'import traces'.
      """
  )

  /// The files of a folder that are taken.
  private static let suffix = ".gwspool"

  @Argument(
    help: ArgumentHelp(
      "The spools; of a folder, all that are named *\(Self.suffix), by name.",
      valueName: "file-or-folder"
    )
  )
  var paths: [String]

  @Flag(help: "No progress on standard error.")
  var quiet = false

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let files = try paths.flatMap(Self.spools(at:))
    let (results, damaged) = try await Connection.with(connection) { connection in
      let spools = SpoolImport(connection: connection, timeouts: self.connection)
      var results: [ImportedRun] = []
      var damaged = 0
      for (index, file) in files.enumerated() {
        do {
          let (result, damage) = try await spools.run(file)
          results.append(result)
          if output.format == .jsonl { try output.write(result.json + "\n") }
          if !quiet {
            Diagnostics.write("[\(index + 1)/\(files.count)] \(result.run): \(result.sentence)")
          }
          guard let damage else { continue }
          Diagnostics.write("\(file): \(damage); what comes before was imported")
          if !damage.isCutOff { damaged += 1 }
        } catch let failure as CommandFailure where failure.status == .usage {
          Diagnostics.write(failure.description)
          damaged += 1
        }
      }
      return (results, damaged)
    }
    try ImportedRun.write(results, to: output)
    try ImportedRun.checkNoneRefused(results)
    guard damaged == 0 else {
      throw CommandFailure(.usage, "spools not imported whole: \(damaged) of \(files.count)")
    }
  }

  /// The file, or the spools of the folder.
  private static func spools(at path: String) throws(CommandFailure) -> [String] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else { return [path] }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw CommandFailure(.usage, "\(path): \(error.localizedDescription)")
    }
    let spools = names.filter { $0.hasSuffix(suffix) }.sorted()
    guard !spools.isEmpty else {
      throw CommandFailure(.usage, "\(path): expected files named *\(suffix), found none")
    }
    let folder = path.hasSuffix("/") ? path : path + "/"
    return spools.map { folder + $0 }
  }
}
