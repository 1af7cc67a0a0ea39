import ArgumentParser
import Foundation
import Fuzzing
import TelemetryTesting

/// Feeds a target with inputs until it fails, or there were enough.
///
/// The work is done in a child process, so that an input that ends it is still known here.
@main
struct Fuzz: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Feeds what takes bytes from outside with inputs that a seed repeats.",
    discussion: "Exit statuses: 0 all is well, 1 an input failed and was kept, 2 wrong usage."
  )

  @Option(help: "The target; see --list.")
  var target: String?
  @Option(help: "The seed.")
  var seed: UInt64 = 1
  @Option(help: "How many inputs.")
  var iterations: UInt64 = 100_000
  @Option(help: "The most seconds; 0: as many as it takes.")
  var seconds = 0.0
  @Option(help: "Where an input that fails is kept.")
  var failures = "."
  @Option(help: "Feed this file, and nothing else.")
  var replay: String?
  @Flag(help: "List the targets.")
  var list = false
  @Option(help: .hidden)
  var child: String?

  func run() throws {
    if list {
      for target in FuzzTarget.all { print(target.name) }
      return
    }
    guard let target = FuzzTarget.named(target ?? "") else {
      throw ValidationError("expected a target of --list, found \(target ?? "none")")
    }
    if let replay {
      let isAccepted = try target.feed(Array(Data(contentsOf: URL(fileURLWithPath: replay))))
      print("\(target.name): \(isAccepted ? "accepted" : "refused")")
    } else if let child {
      try feed(target, noting: child)
    } else {
      try watch(target)
    }
  }

  /// Runs the child, and keeps the input that ended it.
  private func watch(_ target: FuzzTarget) throws {
    let note = FileManager.default.temporaryDirectory
      .appendingPathComponent("gradwatch-fuzz-\(ProcessInfo.processInfo.processIdentifier)")
    defer { try? FileManager.default.removeItem(at: note) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = Array(CommandLine.arguments.dropFirst()) + ["--child", note.path]
    try process.run()
    process.waitUntilExit()
    if process.terminationReason == .exit, process.terminationStatus == 0 { return }
    let (number, input) = try InputNote.read(note.path)
    let name = "\(target.name)-\(seed)-\(number)"
    let path = URL(fileURLWithPath: failures).appendingPathComponent(name)
    try Data(input).write(to: path)
    let reason = process.terminationReason == .uncaughtSignal ? "signal" : "status"
    print("\(target.name): seed \(seed), input \(number): \(reason) \(process.terminationStatus)")
    print("kept as \(path.path); again: --target \(target.name) --replay \(path.path)")
    throw ExitCode(1)
  }

  private func feed(_ target: FuzzTarget, noting path: String) throws {
    let note = try InputNote(path)
    let start = ContinuousClock.now
    var fuzzer = try Fuzzer(target, seed: seed)
    while fuzzer.tally.inputs < iterations {
      let number = fuzzer.tally.inputs
      if seconds > 0, number.isMultiple(of: 256),
        ContinuousClock.now - start > .seconds(seconds)
      {
        break
      }
      let input = fuzzer.next()
      note.write(input, number: number)
      // An input that takes this long hangs.
      if number.isMultiple(of: 256) { alarm(60) }
      try fuzzer.feed(input)
    }
    let took = (ContinuousClock.now - start) / .seconds(1)
    let tally = fuzzer.tally
    let share = 100 * Double(tally.accepted) / Double(max(tally.inputs, 1))
    print(
      "\(target.name): seed \(seed), \(tally.inputs) inputs, \(Int(share)) % accepted, "
        + "\(Int(took)) s, \(Int(Double(tally.inputs) / took)) a second"
    )
  }
}
