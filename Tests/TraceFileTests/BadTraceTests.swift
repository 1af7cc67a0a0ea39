import Foundation
import Telemetry
import Testing
import TraceFile

@Suite("A trace that is none")
struct BadTraceTests {
  @Test(
    "a first line says where it is wrong, what was expected, and what was found",
    arguments: [
      ("not JSON", "line", "proper JSON, with numbers in range", nil),
      ("[1]", "line", "an object", nil),
      (#"{"type":"step","params":[]}"#, "type", "meta", "step"),
      (#"{"type":"meta"}"#, "params", "a value", "none"),
      (#"{"type":"meta","params":[],"format":2}"#, "format", "1", "2"),
      (#"{"type":"meta","params":[],"acols":["mean"]}"#, "acols", "mean std zero sat dead", "mean"),
      (#"{"type":"meta","params":[{"i":"0"}]}"#, "params[0].i", "a number", "a string"),
      (
        #"{"type":"meta","params":[\#(parameter(index: 1))]}"#, "params[0].i", "0", "1"
      ),
      (
        #"{"type":"meta","params":[\#(parameter(count: 7))]}"#, "model.tensors[0].shape",
        "7 elements, as in element_count", "6"
      ),
      (
        #"{"type":"meta","params":[\#(parameter()),\#(parameter(index: 1))]}"#,
        "model.tensors[1].name", "a name that no other tensor has", "a repeated one"
      ),
      (
        #"{"type":"meta","params":[],"acts":[\#(activation(0)),\#(activation(1))]}"#,
        "acts[1].name", "a name that no other row has", "a repeated one"
      ),
    ]
  )
  func firstLine(_ text: String, _ field: String, _ expected: String, _ found: String?) throws {
    try check(try traceError([text]), line: 1, field, expected, found)
  }

  @Test(
    "a step says where it is wrong, what was expected, and what was found",
    arguments: [
      ("{", "line", "proper JSON, with numbers in range", nil),
      (#"{"p":[]}"#, "s", "a value", "none"),
      (#"{"s":-1,"p":[]}"#, "line", "proper JSON, with numbers in range", nil),
      (#"{"s":1,"p":[null]}"#, "p", "8 rows", "1"),
      (#"{"s":1,"p":[[1,2]]}"#, "p[0]", "14 columns", "2"),
      (#"{"s":1,"p":[["big",0,0,0,0,0,0,0,0,0,0,0,[],[]]]}"#, "p[0][0]", "a number", nil),
      (step(#""lr":"inf""#), "lr", "a finite number", "inf"),
      (step(#""clip":0"#), "clip", "a finite number above 0", "0.0"),
      (step(#""clip":1,"clip_kind":"half""#), "clip_kind", "norm or value", "half"),
      (step(#""a":[null]"#), "a", "2 rows", "1"),
      (step(#""a":[[1,2],null]"#), "a[0]", "5 columns", "2"),
      (step(#""u_nograd":{"8":1}"#), "u_nograd", "indices below 8", "8"),
      (step(#""tg":[1,2],"tp":[1]"#), "tp", "2 time steps, one for each of tg", "1"),
      (step(#""tg":[1,2],"tp":[4,4]"#), "tp", "ascending time steps", "others"),
      (row("[1,-2]", "[]"), "p[0][12][1]", "a count from 0 on", "-2"),
      (row("[]", "[9999,1]"), "p[0][13][0]", "an exponent of 2", "9999"),
    ]
  )
  func stepLine(_ text: String, _ field: String, _ expected: String, _ found: String?) throws {
    let error = try traceError([SampleTrace.meta, SampleTrace.bare, text])
    try check(error, line: 3, field, expected, found)
  }

  @Test("a file that is not there, is empty, is a folder, or is cut says so")
  func files() throws {
    #expect(
      throws: TraceError.unreadable(file: "/nowhere/a.gz", reason: "No such file or directory")
    ) {
      try TraceFile(path: "/nowhere/a.gz")
    }
    let sample = try SampleTrace([])
    #expect(
      throws: TraceError.malformed(
        file: sample.path,
        line: 1,
        field: "line",
        expected: "a trace's first line",
        found: "an empty file"
      )
    ) {
      try TraceFile(path: sample.path)
    }
    let folder = URL(fileURLWithPath: sample.path).deletingLastPathComponent()
    #expect(throws: TraceError.self) { try TraceFile(path: folder.path) }
    // The header of a gzip file, a stored block of 9 bytes, and then nothing.
    let cut: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 9, 0, 0xf6, 0xff, 0x7b]
    let path = folder.appendingPathComponent("cut.jsonl.gz").path
    try Data(cut).write(to: URL(fileURLWithPath: path))
    #expect(throws: TraceError.unreadable(file: path, reason: "unexpected end of file")) {
      try TraceFile(path: path)
    }
  }

  @Test("gzip is read whatever the file is called")
  func gzip() throws {
    // gzip of {"type":"meta","params":[]} and a line feed, by Python's gzip.compress(…, mtime=0).
    let bytes = try #require(
      Data(
        base64Encoded: "H4sIAAAAAAACA6tWKqksSFWyUspNLUlU0lEqSCxKzC1WsoqOreUCACknRB0cAAAA"
      )
    )
    let sample = try SampleTrace([], named: "compressed.txt")
    try bytes.write(to: URL(fileURLWithPath: sample.path))
    let trace = try TraceFile(path: sample.path)
    #expect(trace.header.model.tensors.isEmpty)
    #expect(try trace.nextReport() == nil)
  }

  private func check(
    _ error: TraceError?,
    line: Int,
    _ field: String,
    _ expected: String,
    _ found: String?
  ) throws {
    let error = try #require(error)
    guard case .malformed(_, let line1, let field1, let expected1, let found1) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(line1 == line)
    #expect(field1 == field)
    #expect(expected1 == expected)
    #expect(found1 == found ?? found1)
    #expect(!found1.isEmpty)
  }
}

private func parameter(index: Int = 0, count: Int = 6) -> String {
  #"{"i":\#(index),"name":"w","layer":"l","type":"Linear","kind":"weight","shape":[2,3],"#
    + #""n":\#(count),"depth":0}"#
}

private func activation(_ index: Int) -> String {
  #"{"i":\#(index),"name":"act","type":"ReLU","depth":1}"#
}

private func step(_ member: String) -> String {
  #"{"s":1,"p":[null,null,null,null,null,null,null,null],\#(member)}"#
}

private func row(_ positive: String, _ negative: String) -> String {
  #"{"s":1,"p":[[1,0,0,0,0,0,0,0,0,0,1,1,\#(positive),\#(negative)],null,null,null,null,null,"#
    + "null,null]}"
}
