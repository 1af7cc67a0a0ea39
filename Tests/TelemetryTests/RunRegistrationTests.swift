import Telemetry
import Testing

@Suite("Run registrations")
struct RunRegistrationTests {
  private func registration(
    project: String = "tests",
    name: String = "",
    tags: [String] = [],
    hyperparameters: [String: String] = [:],
    framework: String = ""
  ) throws -> RunRegistration {
    try RunRegistration(
      run: RunID("run-1"),
      project: project,
      name: name,
      tags: tags,
      hyperparameters: hyperparameters,
      framework: framework,
      producer: Producer(id: ProducerID("rank-0"), rank: 0, worldSize: 2),
      model: Model(layers: [], tensors: [])
    )
  }

  private func labels(_ count: Int) -> [String] { (0..<count).map { "label-\($0)" } }

  @Test("a registration keeps what it was given")
  func kept() throws {
    let registration = try registration(
      project: "vision",
      name: "résnet",
      tags: ["a", "a"],
      hyperparameters: ["rate": "0.1\n", "note": ""],
      framework: "torch 2.13.0"
    )
    #expect(registration.run.rawValue == "run-1")
    #expect(registration.project == "vision")
    #expect(registration.name == "résnet")
    #expect(registration.tags == ["a", "a"])
    #expect(registration.hyperparameters == ["rate": "0.1\n", "note": ""])
    #expect(registration.framework == "torch 2.13.0")
    #expect(registration.producer.rank == 0 && registration.producer.worldSize == 2)
  }

  @Test("a project must have a name; name and framework may be empty but not improper")
  func names() throws {
    #expect(try registration().name.isEmpty)
    let cases: [(String, () throws -> RunRegistration)] = [
      ("project", { try self.registration(project: "") }),
      ("project", { try self.registration(project: "a\u{0}") }),
      ("name", { try self.registration(name: "a\n") }),
      ("framework", { try self.registration(framework: String(repeating: "f", count: 513)) }),
      ("tags[1]", { try self.registration(tags: ["a", ""]) }),
      ("hyperparameters key", { try self.registration(hyperparameters: ["": "1"]) }),
    ]
    for (field, make) in cases {
      let error = #expect(throws: TelemetryError.self) { try make() }
      #expect(error?.field == field)
    }
  }

  @Test("a run carries at most 1,024 tags and 1,024 hyper-parameters")
  func labelLimits() throws {
    #expect(try registration(tags: labels(1024)).tags.count == 1024)
    let full = Dictionary(uniqueKeysWithValues: labels(1024).map { ($0, "1") })
    #expect(try registration(hyperparameters: full).hyperparameters == full)
    #expect(
      throws: TelemetryError.outOfRange(field: "tags", expected: "at most 1024", found: "1025")
    ) { try registration(tags: labels(1025)) }
    let over = full.merging(["one more": "1"]) { value, _ in value }
    #expect(
      throws: TelemetryError.outOfRange(
        field: "hyperparameters",
        expected: "at most 1024",
        found: "1025"
      )
    ) { try registration(hyperparameters: over) }
  }

  @Test("a hyper-parameter's value takes 16,384 bytes, whatever its characters")
  func valueLimit() throws {
    let longest = String(repeating: "é", count: 8192)
    #expect(try registration(hyperparameters: ["k": longest]).hyperparameters["k"] == longest)
    #expect(
      throws: TelemetryError.outOfRange(
        field: "hyperparameters value",
        expected: "at most 16384 bytes",
        found: "16385 bytes"
      )
    ) { try registration(hyperparameters: ["k": longest + "x"]) }
  }
}
