import CollectorService
import SwiftProtobuf
import Testing

@Suite("Server reflection")
struct ReflectionTests {
  private let index = ReflectionIndex.embedded

  @Test("all services of the protos are listed")
  func services() {
    #expect(
      index.services == [
        "gradwatch.v1.AdminService", "gradwatch.v1.AlertService", "gradwatch.v1.IngestService",
        "gradwatch.v1.QueryService", "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
      ]
    )
  }

  @Test(
    "a symbol of any kind leads to its file",
    arguments: [
      "gradwatch.v1.IngestService", "gradwatch.v1.IngestService.RegisterRun",
      "gradwatch.v1.StepReport", "gradwatch.v1.StepReport.wall_time_seconds",
      "gradwatch.v1.TensorRole",
    ]
  )
  func symbols(_ name: String) throws {
    let files = try #require(index.closure(ofSymbol: name))
    #expect(!files.isEmpty)
  }

  @Test("a file comes with all that it imports, once, itself first")
  func closure() throws {
    let files = try #require(index.closure(ofFile: "gradwatch/v1/ingest_service.proto"))
    // Itself, alert, model, run, step_report, and the timestamp that two of them import.
    #expect(files.count == 6)
    #expect(Set(files).count == 6)
    #expect(files.first == index.closure(ofSymbol: "gradwatch.v1.RegisterRunRequest")?.first)
  }

  @Test("what does not exist is nothing")
  func unknown() {
    #expect(index.closure(ofFile: "nope.proto") == nil)
    #expect(index.closure(ofSymbol: "gradwatch.v1.Nope") == nil)
  }

  @Test("descriptors that can't be read give an empty index, never a trap")
  func garbage() {
    #expect(ReflectionIndex(base64: "not base64 at all").services.isEmpty)
    #expect(ReflectionIndex(base64: "AAECAwQ=").services.isEmpty)
  }
}
