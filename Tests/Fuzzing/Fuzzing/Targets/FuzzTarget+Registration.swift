import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire

extension FuzzTarget {
  /// The registration of a run: from the wire to the bytes that are stored.
  static let registration = FuzzTarget(
    name: "registration",
    seeds: { random in
      try (1...16).map { layers in
        var registration = try RunBuilder(run: "fuzz \(layers)", layers: layers, rank: (1, of: 4))
          .registration
        registration.tags = ["a", "b"]
        registration.hyperparameters = ["rate": "0.1", "ü": ""]
        return try Gradwatch_V1_RegisterRunRequest(registration).serializedBytes()
      }
    },
    mutate: { bytes, pool, random in
      if Int.random(in: 0..<6, using: &random) == 0 {
        Mutation.change(&bytes, pool: pool, &random)
      } else {
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          ProtobufMutation.change(&bytes, &random)
        }
      }
    },
    check: { input throws(FuzzFinding) in
      guard let wire = try? Gradwatch_V1_RegisterRunRequest(serializedBytes: input) else {
        return false
      }
      let registration: RunRegistration
      do throws(TelemetryError) {
        registration = try RunRegistration(wire: wire, generatedID: "generated")
      } catch {
        guard !error.field.isEmpty, !error.description.isEmpty else {
          throw FuzzFinding("refused without a field or a reason")
        }
        return false
      }
      do {
        var model = ByteWriter()
        ModelCodec.write(registration.model, to: &model, Deflater())
        guard try ModelCodec.read(model.bytes) == registration.model else {
          throw FuzzFinding("the stored model is not the one that was registered")
        }
        var labels = ByteWriter()
        LabelsCodec.write(
          tags: registration.tags,
          hyperparameters: registration.hyperparameters,
          to: &labels
        )
        let stored = try LabelsCodec.read(labels.bytes)
        guard stored.tags == registration.tags,
          stored.hyperparameters == registration.hyperparameters
        else { throw FuzzFinding("the stored labels are not those that were registered") }
        let again = try RunRegistration(
          wire: Gradwatch_V1_RegisterRunRequest(registration),
          generatedID: ""
        )
        guard again == registration else {
          throw FuzzFinding("sent on, the registration is another one")
        }
      } catch let finding as FuzzFinding {
        throw finding
      } catch {
        throw FuzzFinding("what was accepted is refused behind: \(error)")
      }
      return true
    }
  )
}
