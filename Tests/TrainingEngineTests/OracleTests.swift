import Testing
import TrainingEngine

@Suite("Against PyTorch")
struct OracleTests {
  @Test("loss, gradients and activations are PyTorch's", arguments: OracleNetwork.all)
  func network(_ oracle: OracleNetwork) {
    let (inputs, targets) = oracle.batch
    let derivative = oracle.makeNetwork().differentiate(
      oracle.lossFunction,
      inputs: inputs,
      targets: targets
    )
    expectClose([derivative.loss], [oracle.loss], tolerance: 1e-12, "loss")
    #expect(derivative.gradients.count == oracle.gradients.count)
    #expect(derivative.activations.count == oracle.activationOutputs.count)
    for (index, (found, expected)) in zip(derivative.gradients, oracle.gradients).enumerated() {
      expectClose(found.elements, expected, tolerance: 1e-12, "gradient \(index)")
    }
    for (index, (found, expected)) in zip(derivative.activations, oracle.activationOutputs)
      .enumerated()
    {
      expectClose(found.elements, expected, tolerance: 1e-12, "activation \(index)")
    }
  }

  @Test("an optimizer's updates are PyTorch's", arguments: OracleTrajectory.all)
  func optimizer(_ oracle: OracleTrajectory) {
    let (inputs, targets) = OracleTrajectory.network.batch
    var network = OracleTrajectory.network.makeNetwork()
    var optimizer = Optimizer<Double>(oracle.rule)
    for _ in 0..<oracle.updates {
      let derivative = network.differentiate(
        OracleTrajectory.network.lossFunction,
        inputs: inputs,
        targets: targets
      )
      optimizer.update(&network, with: derivative.gradients)
    }
    #expect(network.parameters.count == oracle.parameters.count)
    for (parameter, expected) in zip(network.parameters, oracle.parameters) {
      expectClose(parameter.value.elements, expected, tolerance: 1e-11, parameter.name)
    }
  }
}
