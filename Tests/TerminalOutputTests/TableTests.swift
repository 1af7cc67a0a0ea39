import TerminalOutput
import Testing

@Suite("Tables and data formats")
struct TableTests {
  private func table() -> Table {
    var table = Table(columns: [
      Table.Column("RUN", truncation: .middle),
      Table.Column("STEP", alignment: .trailing),
      Table.Column("SUMMARY", truncation: .end),
    ])
    table.append(["resnet", "12", "fine"])
    table.append(["層-transformer-0001", "1200", "the gradient norm fell below 1e-9"])
    table.append(["short"])
    return table
  }

  @Test("columns are aligned by display width, without spaces at the end of a line")
  func aligned() {
    #expect(
      table().rendered(on: Terminal(usesUnicode: true)) == """
        RUN                  STEP  SUMMARY
        resnet                 12  fine
        層-transformer-0001  1200  the gradient norm fell below 1e-9
        short

        """
    )
  }

  @Test("the widest columns shrink until the table fits the terminal")
  func shrunk() {
    #expect(
      table().rendered(on: Terminal(usesUnicode: true, columns: 40)) == """
        RUN               STEP  SUMMARY
        resnet              12  fine
        層-tran…mer-0001  1200  the gradient no…
        short

        """
    )
    #expect(
      table().rendered(on: Terminal(columns: 40)) == """
        RUN               STEP  SUMMARY
        resnet              12  fine
        層-tra...er-0001  1200  the gradient ...
        short

        """
    )
  }

  @Test("no line is wider than the terminal, however narrow it is", arguments: 1..<60)
  func bounded(columns: Int) {
    for line in table().rendered(on: Terminal(columns: columns)).split(separator: "\n") {
      #expect(String(line).displayWidth <= columns)
    }
  }

  @Test("a note stands below its row, cut at the terminal's edge")
  func notes() {
    var table = Table(columns: [Table.Column("RULE"), Table.Column("SINCE")])
    table.append(["spike", "12"], note: "the norm rose to ten times its median")
    table.append(["stall", "7"])
    #expect(
      table.rendered(on: Terminal(columns: 20)) == """
        RULE   SINCE
        spike  12
          the norm rose t...
        stall  7

        """
    )
  }

  @Test("columns without any text can be removed")
  func emptyColumns() {
    var table = Table(columns: [Table.Column("A"), Table.Column("B"), Table.Column("C")])
    table.append(["1", "", "3"])
    table.append(["", "", "6"])
    table.removeEmptyColumns()
    #expect(table.rendered(on: Terminal()) == "A  C\n1  3\n   6\n")
  }

  @Test("a cell can't break its row or steer the terminal")
  func escaped() {
    var table = Table(columns: [Table.Column("A"), Table.Column("B")])
    table.append(["x\ny", Table.Cell(number: .nan)])
    #expect(table.rendered(on: Terminal()) == "A     B\nx\\ny  NaN\n")
    #expect(table.rendered(on: Terminal(usesColor: true)).contains("\u{1b}[1;31mNaN\u{1b}[0m"))
  }

  @Test("CSV quotes what RFC 4180 asks to quote and ends lines in CR LF")
  func commaSeparated() {
    let format = DelimitedText.comma
    #expect(format.header(["a", "b"]) == "a,b\r\n")
    #expect(
      format.line([.text("x,y"), .text(#"say "hi""#), .text("two\r\nlines"), .text("plain")])
        == "\"x,y\",\"say \"\"hi\"\"\",\"two\r\nlines\",plain\r\n"
    )
    #expect(
      format.line([
        .real(0.1), .real(.nan), .real(.infinity), .real(-.infinity), .integer(.max), .missing,
      ]) == "0.1,NaN,Infinity,-Infinity,18446744073709551615,\r\n"
    )
  }

  @Test("TSV keeps a row on a line and a field between its tabs")
  func tabSeparated() {
    #expect(
      DelimitedText.tab.line([.text("a\tb"), .text("c\nd\\e"), .real(1e-9)])
        == "a\\tb\tc\\nd\\\\e\t1e-09\n"
    )
  }

  @Test("JSON numbers that are not finite are protobuf's strings")
  func json() {
    #expect(JSONText.number(0.5) == "0.5")
    #expect(JSONText.number(.nan) == #""NaN""#)
    #expect(JSONText.number(-.infinity) == #""-Infinity""#)
    #expect(JSONText.string("a\"\\\n\u{1}ä") == #""a\"\\\n\u0001ä""#)
    #expect(
      JSONText.object(["a": JSONText.array(["1", "2"]), "b": "null"]) == #"{"a":[1,2],"b":null}"#
    )
  }

  @Test("indenting changes white space only, and keeps arrays of plain values on a line")
  func indented() {
    let json = #"{"a":[1,2,"x]\"{"],"b":{"c":[{"d":-1e-9},{}],"e":[]},"f":[[1],[2]]}"#
    let indented = """
      {
        "a": [1, 2, "x]\\"{"],
        "b": {
          "c": [
            {
              "d": -1e-9
            },
            {}
          ],
          "e": []
        },
        "f": [
          [1],
          [2]
        ]
      }
      """
    #expect(JSONText.indented(json) == indented)
    #expect(JSONText.indented(indented) == indented)
  }

  @Test("indenting ends on every prefix of JSON")
  func truncatedJSON() {
    let json = Array(#"{"a":[1,"\\",{"b":"ä"}]}"#.utf8)
    for length in 0...json.count {
      let prefix = String(decoding: json[..<length], as: UTF8.self)
      #expect(JSONText.indented(prefix).filter { !$0.isWhitespace } == prefix)
    }
  }
}
