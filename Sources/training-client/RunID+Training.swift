import Foundation
import Telemetry
import TerminalOutput
import TrainingEngine

extension RunID {
  /// The id that was given, else one of the experiment's name, the time, and four random hexadecimal digits.
  init(ofTraining experiment: Experiment, given: String? = nil) throws {
    do throws(TelemetryError) {
      if let given {
        self = try RunID(given)
        return
      }
      let time = TimeText.rfc3339(Date().timeIntervalSince1970.rounded(.down))
        .filter { $0 != "-" && $0 != ":" }
      let digits = String(UInt16.random(in: 0...UInt16.max), radix: 16)
      let padding = String(repeating: "0", count: 4 - digits.count)
      self = try RunID("\(experiment.name)-\(time)-\(padding)\(digits)")
    } catch {
      throw CommandFailure(.usage, "--run-id: \(error)")
    }
  }
}
