import Foundation
import TerminalOutput
import Testing

@Suite("Plots")
struct PlotTests {
  private let unicode = Terminal(usesUnicode: true, columns: 48)
  private let ascii = Terminal(columns: 48)

  /// Falls by a decade every 20 points, with a spike, NaN and zeros.
  private var decaying: [LinePlot.Point] {
    (0..<100).map { index in
      let value = pow(10, -Double(index) / 20)
      return LinePlot.Point(
        steps: UInt64(index * 10)...UInt64(index * 10),
        value: value,
        low: index > 90 ? 0 : value / 2,
        high: index == 77 ? 0.5 : value * 2,
        nonFiniteCount: (40..<44).contains(index) ? 2 : 0
      )
    }
  }

  @Test("a sparkline has a height a value, marks what is not finite and leaves gaps")
  func sparkline() {
    #expect(Sparkline.render([1, 2, 3, 4, 5, 6, 7, 8], on: unicode) == "▁▂▃▄▅▆▇█")
    #expect(Sparkline.render([1, nil, .nan, 8], on: unicode) == "▁ ×█")
    #expect(Sparkline.render([1, nil, .infinity, 8], on: ascii) == "_ !#")
    #expect(Sparkline.render([5, 5], on: unicode) == "▅▅")
    #expect(Sparkline.render([.nan], on: unicode) == "×")
    #expect(Sparkline.render([], on: unicode) == "")
  }

  @Test("a sparkline over many decades is logarithmic, with 0 at the bottom")
  func logarithmicSparkline() {
    #expect(Sparkline.render([0, 1e-7, 1e-6, 1e-3, 1], on: unicode) == "▁▁▂▅█")
    #expect(Sparkline.render([0, 1e-7, 1e-6, 1e-3, 1], scale: .linear, on: unicode) == "▁▁▁▁█")
    #expect(Sparkline.render([-1, 1e-7, 1], on: unicode) == "▁▅█")
  }

  @Test("a sparkline that is too long keeps the largest magnitude and every cross")
  func condensedSparkline() {
    var values = Array(repeating: 1.0, count: 1000)
    values[333] = 9
    values[777] = .nan
    let line = Sparkline.render(values, columns: 10, on: unicode)
    #expect(line == "▁▁▁█▁▁▁×▁▁")
  }

  @Test("a falling norm is drawn on a logarithmic axis with band, spike, crosses and zeros")
  func linePlot() {
    let plot = LinePlot(title: "fc0.weight gradient norm", points: decaying, rows: 8)
    #expect(
      plot.rendered(on: unicode) == """
        fc0.weight gradient norm
        NaN/Inf │               ×××
              1 ┤⣿⣶⣦⣄⣀
                │⠉⠙⠻⠿⣿⣿⣷⣦⣤⣀                    ⡇
                │     ⠈⠙⠛⠿⢿⣿⣷⣶⣤⣀⡀              ⡇
                │          ⠈⠉⠛⠿⠿⣿⣿⣶⣤⣄⡀         ⡇
           1e-3 ┤                ⠉⠛⠻⠿⣿⣿⣶⣦⣄⣀    ⡇
                │                     ⠈⠙⠻⠿⢿⣿⣷⣦⣤⣇
                │                          ⠈⠙⠛⠿⢿⣿⣿⣶⣤⣀⡀
                │                                ⠉⠛⠿⢿⣿⣿⣶
              0 │                                   ○○○○
                └┬──────────────────┬───────────────────
                 0                 500  step
                 last 1.122e-5   min 0 at 910
                 max 2 at 0   log scale
                 8 NaN or Inf, first at 400

        """
    )
    #expect(
      plot.rendered(on: ascii) == """
        fc0.weight gradient norm
        NaN/Inf |               !!!
              1 +*:::
                |:******::                     :
                |    :::******::               :
                |          ::*******::         :
           1e-3 +                ::******:::   :
                |                     :::******::
                |                           :::******::
                |                                 ::****
              0 |                                   oooo
                ++------------------+-------------------
                 0                 500  step
                 last 1.122e-5   min 0 at 910
                 max 2 at 0   log scale
                 8 NaN or Inf, first at 400

        """
    )
  }

  @Test("values of one magnitude are drawn on a linear axis")
  func linearPlot() {
    let points = (0..<40).map { LinePlot.Point(step: UInt64($0), value: 2.3 - 0.05 * Double($0)) }
    #expect(
      LinePlot(title: "loss", points: points, rows: 6).rendered(on: unicode) == """
        loss
                │⠑⠒⠢⠤⢄⡀
              2 ┤     ⠈⠉⠑⠒⠢⠤⢄⡀
                │            ⠈⠉⠑⠒⠢⢄⣀⡀
              1 ┤                   ⠈⠉⠒⠤⠤⣀⣀
                │                          ⠉⠒⠒⠤⠤⣀⣀
                │                                 ⠉⠒⠒⠤⠤⣀
                └┬──────────────────┬───────────────────
                 0                 20  step
                 last 0.35   min 0.35 at 39
                 max 2.3 at 0

        """
    )
  }

  @Test("a plot of nothing finite shows the crosses alone; one without points says so")
  func degeneratePlots() {
    let points = [LinePlot.Point(step: 5, value: .nan), LinePlot.Point(step: 9, value: .infinity)]
    #expect(
      LinePlot(title: "loss", points: points).rendered(on: ascii) == """
        loss
        NaN/Inf |!                                     !
                +----------+------------------+---------
                           6                  8  step
                 last +Inf   2 NaN or Inf, first at 5

        """
    )
    #expect(LinePlot(title: "loss", points: []).rendered(on: ascii) == "loss\nno points\n")
  }

  @Test("no finite point is lost: each has dots of its own column and height")
  func everySpikeIsDrawn() {
    // One spike at each of 5,000 places in turn, far more points than columns.
    for place in stride(from: 0, to: 5000, by: 271) {
      var points = (0..<5000).map { LinePlot.Point(step: UInt64($0), value: 1) }
      points[place] = LinePlot.Point(
        steps: UInt64(place)...UInt64(place),
        value: 1,
        low: 1,
        high: 50,
        nonFiniteCount: 0
      )
      let lines = LinePlot(title: "", points: points, rows: 6).rendered(on: ascii).split(
        separator: "\n"
      )
      #expect(lines.first?.contains(":") == true, "the spike at \(place) reaches the top row")
    }
  }

  @Test("extreme values and steps are drawn without a trap")
  func extremes() {
    let terminal = Terminal(usesUnicode: true, columns: 60)
    let values: [Double] = [
      0, -0.0, .leastNonzeroMagnitude, 1e308, -1e308, .greatestFiniteMagnitude,
      -.greatestFiniteMagnitude, .nan,
      .infinity, -.infinity,
    ]
    for first in values {
      for second in values {
        let points = [
          LinePlot.Point(step: 0, value: first), LinePlot.Point(step: .max, value: second),
        ]
        for scale in [ScaleChoice.automatic, .linear, .logarithmic] {
          let text = LinePlot(title: "t", points: points, scale: scale).rendered(on: terminal)
          for line in text.split(separator: "\n") { #expect(line.count <= 60) }
          #expect(Sparkline.render([first, second], scale: scale, on: terminal).count == 2)
        }
      }
    }
  }

  @Test("a histogram has a row a power of two, signs on either side, zeros and non-finite below")
  func histogram() {
    let plot = HistogramPlot(
      title: "fc0.weight",
      scale: 0,
      zeroCount: 12,
      positive: (offset: -8, counts: [1, 8, 20, 41, 30, 3, 0, 0, 0, 0, 2]),
      negative: (offset: -9, counts: [2, 9, 25, 40, 28, 10]),
      nonFiniteCount: 3
    )
    #expect(
      plot.rendered(on: unicode) == """
        fc0.weight
                     negative  |g| positive
                               2^2 ▉ 2
                                 ⋮
                              2^-3 █▍ 3
        10              ▐████ 2^-4 █████████████▏ 30
        28      ▐████████████ 2^-5 ██████████████████ 41
        40 ▐█████████████████ 2^-6 ████████▊ 20
        25        ███████████ 2^-7 ███▌ 8
         9               ████ 2^-8 ▌ 1
         2                  █ 2^-9
        elements 234   zero 12 (5.13 %)   NaN or Inf 3 (1.28 %)

        """
    )
    #expect(
      plot.rendered(on: ascii) == """
        fc0.weight
                     negative  |g| positive
                               2^2 # 2
                                 :
                              2^-3 # 3
        10               #### 2^-4 ############# 30
        28       ############ 2^-5 ################## 41
        40 ################## 2^-6 ######### 20
        25        ########### 2^-7 #### 8
         9               #### 2^-8 # 1
         2                  # 2^-9
        elements 234   zero 12 (5.13 %)   NaN or Inf 3 (1.28 %)

        """
    )
  }

  @Test("one element has a visible bar on either side of a million")
  func thinBars() {
    let buckets = [
      HistogramPlot.Bucket(label: "2^1", negative: 1, positive: 1_000_000),
      HistogramPlot.Bucket(label: "2^0", negative: 1_000_000, positive: 1),
    ]
    let plot = HistogramPlot(
      title: "h",
      buckets: buckets,
      isSigned: true,
      zeroCount: nil,
      nonFiniteCount: nil
    )
    #expect(plot.rendered(on: unicode).contains("▐ 2^1 █"))
    #expect(plot.rendered(on: unicode).contains("█ 2^0 ▏ 1\n"))
    #expect(plot.rendered(on: ascii).contains(" # 2^1 #"))
    #expect(plot.rendered(on: ascii).contains("# 2^0 # 1\n"))
  }

  @Test("a histogram with its own bounds has a row a bucket, largest first")
  func explicitHistogram() {
    let plot = HistogramPlot(title: "h", bounds: [-0.1, 0, 0.1], counts: [3, 20, 24, 0])
    #expect(
      plot.rendered(on: unicode) == """
        h
          0.1 .. Inf
            0 .. 0.1 ███████████████████████████████ 24
           -0.1 .. 0 █████████████████████████▉ 20
        -Inf .. -0.1 ███▉ 3
        elements 47

        """
    )
  }

  @Test("buckets finer than an octave are added up to octaves, at negative indices too")
  func octaves() {
    // Scale 1 has two buckets an octave: -3 is in [2^-1.5, 2^-1), the octave of 2^-2.
    #expect(
      HistogramPlot.octaves(scale: 1, offset: -3, counts: [1, 2, 4, 8])
        == [-2: 1, -1: 6, 0: 8]
    )
    // Scale -1 has one bucket for two octaves.
    #expect(HistogramPlot.octaves(scale: -1, offset: -1, counts: [5, 7]) == [-2: 5, 0: 7])
    #expect(HistogramPlot.octaves(scale: 0, offset: 3, counts: []) == [:])
  }

  @Test("an empty histogram draws its footer")
  func emptyHistogram() {
    let plot = HistogramPlot(
      title: "h",
      scale: 0,
      zeroCount: 7,
      positive: (offset: 0, counts: []),
      negative: (offset: 0, counts: [])
    )
    #expect(plot.rendered(on: ascii) == "h\nelements 7   zero 7 (100 %)\n")
  }
}
