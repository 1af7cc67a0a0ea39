import Telemetry
import Testing
import TraceFile

@Suite("A trace's first line")
struct TraceHeaderTests {
  private func header() throws -> TraceHeader {
    let sample = try SampleTrace([SampleTrace.meta])
    return try TraceFile(path: sample.path).header
  }

  @Test("layers are in forward order, modules without tensors among them")
  func layers() throws {
    let layers = try header().model.layers
    #expect(
      layers == [
        Layer(name: "tok", moduleType: "Embedding", activation: "none"),
        Layer(
          name: "stem.conv",
          moduleType: "Conv2d",
          activation: "relu",
          normalization: "batch_norm",
          fanIn: 6,
          fanOut: 12
        ),
        Layer(name: "stem.norm", moduleType: "BatchNorm2d", activation: "none"),
        Layer(name: "stem.act", moduleType: "ReLU"),
        Layer(name: "cell", moduleType: "GRUCell", activation: "gates", fanIn: 4, fanOut: 6),
        Layer(name: "squash", moduleType: "Tanh"),
        Layer(name: "out", moduleType: "Linear", activation: "none", fanIn: 2, fanOut: 5),
      ]
    )
  }

  @Test("tensors keep the trace's order, and have their roles")
  func tensors() throws {
    let tensors = try header().model.tensors
    #expect(
      tensors.map(\.name) == [
        "tok.weight", "out.weight", "stem.conv.weight", "stem.norm.weight", "stem.norm.bias",
        "cell.weight_ih", "cell.weight_hh", "cell.bias_hh",
      ]
    )
    #expect(tensors.map(\.layer) == [0, 6, 1, 2, 2, 4, 4, 4])
    #expect(
      tensors.map(\.role) == [
        .embedding, .weight, .weight, .norm, .norm, .weight, .recurrent, .bias,
      ]
    )
    #expect(tensors.map(\.elementCount) == [10, 10, 24, 4, 4, 24, 12, 6])
    #expect(tensors[2].shape == [4, 2, 3, 1])
    #expect(
      tensors.map(\.initialization) == [
        "normal(0.02)", "", "he", "", "", "default", "orthogonal", "",
      ]
    )
    // `stem` is frozen by intent, and the bias from the start.
    #expect(tensors.map(\.isTrainable) == [true, true, false, false, false, true, true, false])
    #expect(tensors.map(\.tiedTo) == [nil, 0, nil, nil, nil, nil, nil, nil])
  }

  @Test("its name and its ground truth are nowhere in the registration")
  func groundTruth() throws {
    let registration = try header().registration(
      run: RunID("r"),
      project: "p",
      producer: Producer(id: ProducerID("trace"))
    )
    let everything = "\(registration)"
    for word in ["label", "the_name_gives_it_away", "sick", "the_truth"] {
      #expect(!everything.contains(word))
    }
    #expect(registration.framework == "torch 2.13.0")
    #expect(
      registration.hyperparameters == [
        "optimizer": "AdamW", "loss_fn": "nll_loss", "steps": "40", "accum": "2",
        "batch_size": "16", "every": "5", "hist_every": "2", "all_params": "9",
        "amp_dtype": "float16", "frozen_layers": "stem",
      ]
    )
  }

  @Test("only where all parameters are known it is known that nothing is normalized")
  func normalization() throws {
    let parameter =
      #"{"i":0,"name":"w","layer":"l","type":"Linear","kind":"weight","#
      + #""shape":[2,3],"n":6,"depth":0}"#
    for (count, expected) in [("1", "none"), ("2", "")] {
      let sample = try SampleTrace(
        [#"{"type":"meta","all_params":\#(count),"params":[\#(parameter)]}"#]
      )
      let layer = try #require(try TraceFile(path: sample.path).header.model.layers.first)
      #expect(layer.normalization == expected)
    }
  }

  @Test(
    "a run is called as its file",
    arguments: [
      ("a/b.c/moons_relu.jsonl.gz", "moons_relu"), ("x.jsonl", "x"), ("plain", "plain"),
      (".gz", ".gz"), ("a/.jsonl.gz", ".jsonl"),
    ]
  )
  func name(path: String, name: String) {
    #expect(TraceFile.name(ofFile: path) == name)
  }
}
