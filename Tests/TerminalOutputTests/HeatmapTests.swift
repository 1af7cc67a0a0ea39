import Foundation
import TerminalOutput
import Testing

@Suite("Heatmaps")
struct HeatmapTests {
  private let unicode = Terminal(usesUnicode: true, columns: 40)
  private let ascii = Terminal(columns: 40)
  private let color = Terminal(usesColor: true, usesUnicode: true, columns: 40)

  private func picture(_ rows: [Heatmap.Row], lines: Int = 64) -> Heatmap {
    Heatmap(
      title: "a  run-a",
      quantity: "gradient norm",
      rows: rows,
      steps: 0...99,
      maximumLines: lines
    )
  }

  /// A layer that vanishes, one that explodes into NaN, one that is 0 and then not measured.
  private var rows: [Heatmap.Row] {
    [
      .init(label: "in", cells: (0..<8).map { pow(10, -Double($0)) }),
      .init(label: "hidden", style: .critical, cells: [1, 1, 1, 10, 100, .nan, .infinity, nil]),
      .init(label: "out", cells: [0, 0, 0, nil, 1, 1, nil, nil]),
    ]
  }

  @Test("magnitudes are shades; NaN, zero and what was not measured have glyphs of their own")
  func shades() {
    #expect(
      picture(rows).rendered(on: unicode) == """
        a  run-a
        in     ████▓▓▓▓▓▓▓▓▒▒▒▒▒▒▒▒░░░░░░░░░░░░
        hidden ████████████████████××××××××
        out    ○○○○○○○○○○○○    ████████
               0                       99  step

        """
    )
    #expect(
      picture(rows).rendered(on: ascii) == """
        a  run-a
        in     ####++++++++::::::::............
        hidden ####################!!!!!!!!
        out    oooooooooooo    ########
               0                       99  step

        """
    )
  }

  @Test("the legend says where each shade begins, the unit, and what the other glyphs mean")
  func legend() {
    #expect(
      picture(rows).legend(on: unicode) == """
        gradient norm, logarithmic   ░ from 1e-7
          ▒ from 1.8e-5   ▓ from 0.0032
          █ from 0.56 to 100   ○ 0
          × NaN or Inf   blank not measured

        """
    )
    let plain = picture([.init(label: "in", cells: [1, 10])])
    #expect(!plain.legend(on: ascii).contains("NaN"))
    #expect(!plain.legend(on: ascii).contains("blank"))
    let one = picture([.init(label: "in", cells: [3])])
    #expect(one.legend(on: ascii) == "gradient norm, logarithmic   + 3\n")
  }

  @Test("where there are colours every shade comes twice: first cool, then warm")
  func colors() {
    let text = picture([.init(label: "in", cells: (0..<8).map { pow(10, Double($0)) })])
      .rendered(on: color)
    #expect(text.contains("\u{1b}[36m░░░░▒▒▒▒▓▓▓▓████\u{1b}[0m\u{1b}[33m░░░░▒▒▒▒▓▓▓▓████\u{1b}[0m"))
    let odd = picture(rows).rendered(on: color)
    #expect(odd.contains("\u{1b}[1;31m××××××××\u{1b}[0m"))
    #expect(odd.contains("\u{1b}[1;31mhidden\u{1b}[0m"))
    #expect(picture(rows).legend(on: color).components(separatedBy: "from").count == 9)
    #expect(!picture(rows).rendered(on: unicode).contains("\u{1b}"))
  }

  @Test("more steps than columns share them, and keep the largest magnitude and every cross")
  func condensedColumns() {
    var cells: [Double?] = Array(repeating: 1, count: 1000)
    cells[500] = 1e-3
    cells[333] = 1e6
    cells[777] = .nan
    let text = picture([.init(label: "in", cells: cells)]).rendered(on: ascii)
    let line = text.split(separator: "\n")[1]
    #expect(line.count <= 40)
    #expect(line.count(where: { $0 == "#" }) == 1)
    #expect(line.count(where: { $0 == "!" }) == 1)
  }

  @Test("more rows than lines share them with their neighbours")
  func condensedRows() {
    let rows = (0..<100).map { index in
      Heatmap.Row(
        label: "layer\(index)",
        style: index == 42 ? .critical : .plain,
        cells: [index == 77 ? .nan : index == 42 ? 100 : 1]
      )
    }
    let lines = picture(rows, lines: 10).rendered(on: ascii).split(separator: "\n")
    #expect(lines.count == 12)
    #expect(lines[1].hasPrefix("layer0 +9 "))
    #expect(lines[5].hasPrefix("layer40 +9 ####"))
    #expect(lines[8].hasPrefix("layer70 +9 !!!!"))
    #expect(lines[9].hasPrefix("layer80 +9 ...."))
  }

  @Test("pictures with one range have the same shade for the same value")
  func sharedRange() {
    var (first, second) = (
      picture([.init(label: "in", cells: [1, 2])]), picture([.init(label: "in", cells: [1, 1e8])])
    )
    let range = Heatmap.range(of: first.rows + second.rows)
    #expect(range == 1...1e8)
    (first.range, second.range) = (range, range)
    #expect(first.rendered(on: ascii).contains("in ...................................."))
    #expect(second.rendered(on: ascii).contains("..##"))
  }

  @Test("pictures of little: no rows, no value above 0, one value, long names, control characters")
  func degenerate() {
    #expect(picture([]).rendered(on: ascii) == "a  run-a\nno values\n")
    #expect(picture([.init(label: "in", cells: [])]).rendered(on: ascii).hasSuffix("no values\n"))
    let nothing = picture([.init(label: "in", cells: [0, .nan, nil])])
    #expect(nothing.range == nil)
    #expect(nothing.rendered(on: ascii).contains("in oooooooooooo!!!!!!!!!!!!\n"))
    #expect(nothing.legend(on: ascii).contains("gradient norm"))
    let one = picture([.init(label: "in", cells: [-3])])
    #expect(one.range == 3...3)
    #expect(one.rendered(on: ascii).contains("in ++++"))
    let long = picture([
      .init(label: "encoder.layers.0.self_attention.output", cells: [1, 2]),
      .init(label: "a\u{1b}[31m\n", cells: [1, 2]),
    ])
    let lines = long.rendered(on: ascii).split(separator: "\n")
    #expect(lines[1].hasPrefix("encoder.la...tion.output "))
    #expect(lines[2].hasPrefix(#"a\u{1b}[31m\n"#))
    #expect(lines.allSatisfy { $0.count <= 40 })
    #expect(long.rendered(on: Terminal(columns: 5)).contains("no values") == false)
  }
}
