import ArgumentParser
import Detection
import Foundation
import Telemetry

/// What the detectors cost: nanoseconds a tensor and report, and bytes of state a tensor.
///
/// The work is that of the ingest benchmark, and everything else that a rule looks at: 200 tensors
/// in 100 layers, ten gradient statistics, parameter and update norms, a histogram of 64 buckets,
/// three activation statistics, and a loss that falls. Time is that of the process on the
/// processor, so that what else runs on the machine counts little; what it still adds is in the
/// median, so the fastest repetition is the one that is held against the threshold.
@main
struct DetectionBenchmark: ParsableCommand {
  @Option(help: "Reports to observe.")
  var reports: UInt64 = 4000
  @Option(help: "Weights of the model; each has a bias beside it.")
  var weights: UInt32 = 100
  @Option(help: "Buckets of each histogram; 0 leaves them out.")
  var buckets = 64
  @Option(help: "Repetitions; the fastest and the median are printed.")
  var repetitions = 5
  @Option(help: "Fail if the fastest repetition takes more nanoseconds a tensor and report.")
  var failAbove: Double?
  @Option(help: "Fail if the state has more bytes a tensor.")
  var failAboveBytes: Double?

  /// Refuses what can't be measured.
  func validate() throws {
    guard reports > 0, weights > 0, repetitions > 0, buckets >= 0 else {
      throw ValidationError(
        "expected at least 1 for --reports, --weights and --repetitions and 0 for --buckets, found "
          + "\(reports), \(weights), \(repetitions) and \(buckets)"
      )
    }
  }

  func run() throws {
    let work = try Work(weights: weights, buckets: buckets)
    var times: [Double] = []
    let tensors = Double(2 * weights)
    let bytes = try Self.stateBytes(work, tensors: tensors)
    for _ in 0..<repetitions {
      var detector = Detector(run: try RunID("r"), producer: try ProducerID("p"), model: work.model)
      var spent = 0.0
      var transitions = 0
      for step in 0..<reports {
        let report = work.report(step)
        let time = report.scalars.wallTime
        let start = Self.processorTime()
        transitions += detector.observe(report, receivedAt: time).count
        spent += Self.processorTime() - start
      }
      times.append(spent / Double(reports) / tensors)
      guard transitions < 10 else { throw ValidationError("the work raises \(transitions) alerts") }
    }
    times.sort()
    let (fastest, median) = (times[0], times[times.count / 2])
    print("nanoseconds_a_tensor_report min \(fastest) median \(median)")
    print("bytes_of_state_a_tensor \(bytes)")
    if let failAbove, fastest > failAbove {
      throw ValidationError(
        "expected at most \(failAbove) ns a tensor and report, found \(fastest)"
      )
    }
    if let failAboveBytes, bytes > failAboveBytes {
      throw ValidationError("expected at most \(failAboveBytes) bytes a tensor, found \(bytes)")
    }
  }

  /// Bytes that a detector adds to the process, a tensor; 0 where the system does not tell.
  ///
  /// Many detectors, each with reports of its own, so that pages and shared buffers do not count.
  private static func stateBytes(_ work: Work, tensors: Double) throws -> Double {
    let count = 64
    let before = residentBytes()
    var detectors: [Detector] = []
    for index in 0..<count {
      var detector = Detector(
        run: try RunID("r\(index)"),
        producer: try ProducerID("p"),
        model: work.model
      )
      for step in 0..<UInt64(40) {
        let report = work.report(step)
        _ = detector.observe(report, receivedAt: report.scalars.wallTime)
      }
      detectors.append(detector)
    }
    return withExtendedLifetime(detectors) {
      Double(residentBytes() - before) / Double(count) / tensors
    }
  }

  /// Nanoseconds that this process has had of the processors.
  private static func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }

  private static func residentBytes() -> Int {
    let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?
      .split(separator: " ")
    return (fields?.dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
  }
}
