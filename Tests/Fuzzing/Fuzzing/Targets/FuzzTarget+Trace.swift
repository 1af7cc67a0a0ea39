import Detection
import Foundation
import Ingest
import Telemetry
import TelemetryTesting
import TraceFile

extension FuzzTarget {
  /// Recorded runs: to reports that a collector takes, and through a detector.
  static let trace = FuzzTarget(
    name: "trace",
    seeds: { random in
      let text = Array(sampleTrace.utf8)
      let whole = try Data(contentsOf: URL(fileURLWithPath: recordedTrace))
      return [[UInt8]](repeating: text, count: 11) + [Array(whole)]
    },
    mutate: { text, pool, random in
      // A compressed file is changed in its compressed bytes.
      if text.starts(with: [0x1f, 0x8b]) {
        Mutation.change(&text, from: min(10, text.count), pool: [], &random)
      } else {
        TextMutation(words: traceWords).change(&text, pool: pool, &random)
      }
    },
    check: { input throws(FuzzFinding) in
      let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("gradwatch-fuzz-\(ProcessInfo.processInfo.processIdentifier)-trace")
      defer { try? FileManager.default.removeItem(at: path) }
      do {
        try Data(input).write(to: path)
        let trace = try TraceFile(path: path.path)
        let registration = try trace.header.registration(
          run: try RunID("fuzz"),
          project: "fuzz",
          producer: Producer(id: try ProducerID("p0"))
        )
        var sequencer = ProducerSequencer(
          model: registration.model,
          lastSequence: 0,
          lastStep: nil
        )
        var detector = Detector(
          run: registration.run,
          producer: registration.producer.id,
          model: registration.model
        )
        while var report = try trace.nextReport() {
          report.sequence = sequencer.lastSequence + 1
          guard
            case .accept(let report, let rewinds) = sequencer.receive(
              .success(report),
              sequence: report.sequence
            )
          else { continue }
          if rewinds { _ = detector.rewind(to: report.step, at: report.scalars.wallTime) }
          _ = detector.observe(report, receivedAt: report.scalars.wallTime)
        }
        return true
      } catch let error as TraceError {
        guard !error.description.isEmpty else { throw FuzzFinding("refused without a reason") }
        return false
      } catch is TelemetryError {
        return false
      } catch {
        throw FuzzFinding("expected a trace's error, found \(error)")
      }
    }
  )

  /// A trace that was recorded, compressed.
  private static let recordedTrace = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent()
    .appendingPathComponent("../../../EndToEnd/traces/reg_uniform45_explode.jsonl.gz").path

  private static let traceWords = [
    "null", "true", "-0", "1e999", "-1", "1e-400", "0.5", "18446744073709551616",
    "9223372036854775807", "\"nan\"", "\"inf\"", "\"-inf\"", "\"\"", "[", "]", "{", "}", "[[[[[[[[",
    "{\"a\":", "\\u0000", "\\ud800", "\u{0}", "ü", ",", ":", "\"", "s", "loss", "p", "a", "params",
    "acts", "i", "n", "shape", "depth", "tied", "norm", "value", "clip_kind", "every", "meta",
    "weight", "Linear", "GRUCell", "1073741824", "-2147483648", "4294967295", "99999",
  ]

  private static let sampleTrace = #"""
    {"type":"meta","format":1,"framework":"torch 2.13.0","every":5,"hist_every":2,"optimizer":"AdamW",\#
    "loss_fn":"nll","steps":40,"accum":2,"batch_size":16,"amp":{"grads_are_scaled":true,"dtype":"f"},\#
    "intent":{"frozen_layers":["stem"]},"params":[{"i":0,"name":"tok.weight","layer":"tok",\#
    "parent":"","type":"Embedding","kind":"weight","shape":[5,2],"n":10,"depth":0,"act":"none",\#
    "init":"normal(0.02)","trainable":true,"tied":["out.weight"]},{"i":1,"name":"out.weight",\#
    "layer":"out","parent":"","type":"Linear","kind":"weight","shape":[5,2],"n":10,"depth":9,\#
    "act":"none","init":"-","trainable":true,"tied":["tok.weight"]},{"i":2,"name":"cell.weight_hh",\#
    "layer":"cell","parent":"","type":"GRUCell","kind":"weight_hh","shape":[6,2],"n":12,"depth":5,\#
    "act":"gates","init":"orthogonal","trainable":true,"tied":[]}],"acts":[{"i":0,"name":"squash",\#
    "type":"Tanh","depth":7}],"all_params":3}
    {"s":5,"loss":0.25,"lr":0.001,"gn":"inf","clip":1.5,"clip_kind":"norm","clipped":true,"scale":1024,\#
    "skipped":true,"loss_g":"-inf","p":[[0.5,0.01,0.02,0.03,-0.25,0.25,6,0,0,0,2.5,0.125,[-2,1,0,2],\#
    [-2,1]],null,[1e39,0,0,0,-1,1,0,0,0,0,0,"inf",[1,3],[1,8]]],"u_nograd":{"1":0.0625},\#
    "a":[[0.5,"nan",0,0.75,null]],"tg":[1e-30,"nan",null],"tp":[0,2,9]}
    {"s":10,"loss":"nan","lr":null,"gn":null,"p":[null,null,null],"a":[null]}
    """#
}
