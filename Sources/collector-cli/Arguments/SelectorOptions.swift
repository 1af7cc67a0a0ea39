import ArgumentParser
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// Which tensors or layers are meant; what is set must all match.
struct SelectorOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Layers whose name matches (* any text, ? any character).",
      valueName: "glob"
    )
  )
  var layer: String = ""

  @Option(help: ArgumentHelp("Tensors whose name matches.", valueName: "glob"))
  var tensor: String = ""

  @Option(
    help: "Tensors of this role; may be repeated."
  )
  var role: [RoleChoice] = []

  /// The wire's form.
  var message: Gradwatch_V1_Selector {
    .with {
      $0.layer = layer
      $0.tensor = tensor
      $0.roles = role.map(\.role)
    }
  }
}

/// Which steps, in how many points, of which producer.
struct SeriesOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Only these steps: A:B, A:, :B or N.", valueName: "range"),
    transform: StepRange.parse
  )
  var steps: StepRange?

  @Option(
    help: ArgumentHelp(
      "At most so many points a series, each with min, max, mean and last; 0: all measured.",
      valueName: "points"
    ),
    transform: UInt32.parse
  )
  var resolution: UInt32?

  @Option(help: "The producer, if not the one with the lowest rank.")
  var producer: String = ""

  /// The points to ask for: what the person said, else what a plot has room for, else all.
  func maximumPoints(isPlot: Bool, on output: Output) -> UInt32 {
    if let resolution { return resolution }
    guard isPlot else { return 0 }
    return UInt32(output.terminal.layoutColumns * (output.terminal.usesUnicode ? 2 : 1))
  }
}
