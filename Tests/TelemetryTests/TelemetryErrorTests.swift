import Telemetry
import Testing

@Suite("Telemetry errors")
struct TelemetryErrorTests {
  @Test(
    "an error tells the place, the expected and the found, and names its field",
    arguments: [
      (
        .outOfRange(field: "learning_rate", expected: "a finite number", found: "nan"),
        "learning_rate: expected a finite number, found nan", "learning_rate"
      ),
      (
        .columnLength(column: "gradients.norm", expected: 200, found: 199),
        "gradients.norm: expected 200 values, found 199", "gradients.norm"
      ),
      (
        .unknownIndex(column: "activations.layer_ids", index: 12, count: 12),
        "activations.layer_ids: expected an index below 12, found 12", "activations.layer_ids"
      ),
      (
        .histogramTotal(tensor: "head.weight", expected: 64, found: 63),
        "histogram of tensor head.weight: expected counts that add up to its 64 elements, found 63",
        "histograms of tensor head.weight"
      ),
    ] as [(TelemetryError, String, String)]
  )
  func descriptions(error: TelemetryError, description: String, field: String) {
    #expect(error.description == description)
    #expect(error.field == field)
  }
}
