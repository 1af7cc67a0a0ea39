import Foundation
import TraceFile

/// A trace made up for these tests, in a file that lasts as long as it.
///
/// Two blocks with every kind of module that a trace may have, and steps with every kind of value.
final class SampleTrace {
  let path: String

  /// The first line.
  static let meta = #"""
    {"type":"meta","format":1,"run":"the_name_gives_it_away","framework":"torch 2.13.0","every":5,
    "hist_every":2,"optimizer":"AdamW","loss_fn":"nll_loss","steps":40,"accum":2,"batch_size":16,
    "amp":{"grads_are_scaled":true,"dtype":"float16"},"intent":{"frozen_layers":["stem"]},
    "pcols":["norm","mean","mabs","std","min","max","zeros","nans","pinf","ninf","pnorm","unorm",
    "hpos","hneg"],"acols":["mean","std","zero","sat","dead"],"params":[
    {"i":0,"name":"tok.weight","layer":"tok","parent":"","type":"Embedding","kind":"weight",
    "shape":[5,2],"n":10,"depth":0,"act":"none","init":"normal(0.02)","trainable":true,
    "tied":["out.weight"]},
    {"i":1,"name":"out.weight","layer":"out","parent":"","type":"Linear","kind":"weight",
    "shape":[5,2],"n":10,"depth":9,"act":"none","init":"-","trainable":true,
    "tied":["tok.weight","unknown.weight"]},
    {"i":2,"name":"stem.conv.weight","layer":"stem.conv","parent":"stem","type":"Conv2d",
    "kind":"weight","shape":[4,2,3,1],"n":24,"depth":2,"act":"ReLU","init":"he","trainable":true,
    "tied":[]},
    {"i":3,"name":"stem.norm.weight","layer":"stem.norm","parent":"stem","type":"BatchNorm2d",
    "kind":"weight","shape":[4],"n":4,"depth":3,"act":"none","init":"-","trainable":true,"tied":[]},
    {"i":4,"name":"stem.norm.bias","layer":"stem.norm","parent":"stem","type":"BatchNorm2d",
    "kind":"bias","shape":[4],"n":4,"depth":3,"act":"none","init":"-","trainable":true,"tied":[]},
    {"i":5,"name":"cell.weight_ih","layer":"cell","parent":"","type":"GRUCell","kind":"weight_ih",
    "shape":[6,4],"n":24,"depth":5,"act":"gates","init":"default","trainable":true,"tied":[]},
    {"i":6,"name":"cell.weight_hh","layer":"cell","parent":"","type":"GRUCell","kind":"weight_hh",
    "shape":[6,2],"n":12,"depth":5,"act":"gates","init":"orthogonal","trainable":true,"tied":[]},
    {"i":7,"name":"cell.bias_hh","layer":"cell","parent":"","type":"GRUCell","kind":"bias_hh",
    "shape":[6],"n":6,"depth":5,"act":"gates","init":"-","trainable":false,"tied":[]}],
    "acts":[{"i":0,"name":"squash","type":"Tanh","depth":7},
    {"i":1,"name":"stem.act","type":"ReLU","depth":4}],"all_params":9,
    "label":{"verdict":"sick","expected":["the_truth"]}}
    """#.replacingOccurrences(of: "\n", with: "")

  /// A step with all that there is; the gradient of `tok.weight` is healthy, that of `out.weight`
  /// missing, that of `stem.conv.weight` wholly NaN, and that of `cell.weight_hh` partly infinite.
  static let full = #"""
    {"s":5,"loss":0.25,"lr":0.001,"gn":"inf","clip":1.5,"clip_kind":"norm","clipped":true,
    "scale":1024,"skipped":true,"acc":0.5,"loss_g":"-inf","reward":-3,"frozen":[7],
    "p":[[0.5,0.01,0.02,0.03,-0.25,0.25,6,0,0,0,2.5,0.125,[-2,1,0,2],[-2,1]],null,
    [null,null,null,null,null,null,0,24,0,0,3,"nan",[],[]],
    [0,0,0,0,0,0,4,0,0,0,2,0,[],[]],[1e39,0,0,0,-1,1,0,0,0,0,0,"inf",[1,3],[1,1]],
    [1,0,0,0,-1,1,24,0,0,0,1,0.5,null,null],
    [2,0.5,0.5,0.25,-1,1,3,1,2,3,1,0.5,[1,2],[-120,1]],null],
    "u_nograd":{"1":0.0625},"a":[[0.5,"nan",0,0.75,null],null],"tg":[1e-30,"nan",null],
    "tp":[0,2,9]}
    """#.replacingOccurrences(of: "\n", with: "")

  /// A step with as little as there can be.
  static let bare =
    #"{"s":10,"loss":"nan","lr":null,"gn":null,"p":[null,null,null,null,null,null,null,null],"#
    + #""a":[null,null]}"#

  /// Writes lines into a file.
  init(_ lines: [String], named name: String = "sample.jsonl") throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("gradwatch-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    path = folder.appendingPathComponent(name).path
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: path))
  }

  deinit {
    try? FileManager.default.removeItem(
      at: URL(fileURLWithPath: path).deletingLastPathComponent()
    )
  }
}

/// The error of reading a whole trace; `nil` if there is none.
func traceError(_ lines: [String]) throws -> TraceError? {
  let sample = try SampleTrace(lines)
  do throws(TraceError) {
    let trace = try TraceFile(path: sample.path)
    while try trace.nextReport() != nil {}
    return nil
  } catch {
    return error
  }
}
