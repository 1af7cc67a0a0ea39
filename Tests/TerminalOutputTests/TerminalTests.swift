import TerminalOutput
import Testing

@Suite("What a terminal can show")
struct TerminalTests {
  @Test(
    "colours follow the choice, then NO_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM and the terminal",
    arguments: [
      (ColorChoice.auto, true, [:], true),
      (.auto, false, [:], false),
      (.auto, true, ["NO_COLOR": "1"], false),
      (.auto, true, ["NO_COLOR": ""], true),
      (.auto, false, ["CLICOLOR_FORCE": "1"], true),
      (.auto, false, ["CLICOLOR_FORCE": "0"], false),
      (.auto, true, ["NO_COLOR": "1", "CLICOLOR_FORCE": "1"], false),
      (.auto, true, ["CLICOLOR": "0"], false),
      (.auto, true, ["TERM": "dumb"], false),
      (.always, false, ["NO_COLOR": "1"], true),
      (.never, true, ["CLICOLOR_FORCE": "1"], false),
    ] as [(ColorChoice, Bool, [String: String], Bool)]
  )
  func color(
    choice: ColorChoice,
    isTerminal: Bool,
    environment: [String: String],
    expected: Bool
  ) {
    #expect(choice.isOn(isTerminal: isTerminal, environment: environment) == expected)
  }

  @Test("nothing is laid out wider than a thousand columns, whatever COLUMNS says")
  func columns() {
    for (text, columns) in [("9999999999", 1000), ("120", 120), ("1", 20), ("x", 80), ("0", 80)] {
      // No terminal: the variable alone counts.
      let terminal = Terminal(descriptor: -1, environment: ["COLUMNS": text])
      #expect(terminal.layoutColumns == columns)
    }
  }

  @Test(
    "Unicode is drawn only where the locale promises UTF-8",
    arguments: [
      ([:], false), (["LANG": "C.UTF-8"], true), (["LANG": "en_US.utf8"], true),
      (["LANG": "C.UTF-8", "LC_ALL": "C"], false), (["LC_CTYPE": "de_DE.UTF-8"], true),
      (["LANG": "C", "LC_ALL": "", "LC_CTYPE": "C.UTF-8"], true),
      (["LANG": "C.UTF-8", "TERM": "dumb"], false),
    ] as [([String: String], Bool)]
  )
  func unicode(environment: [String: String], expected: Bool) {
    #expect(Terminal.canShowUnicode(environment: environment) == expected)
  }

  @Test("painted text carries its style only where colours are on, and no control characters ever")
  func paint() {
    let plain = Terminal()
    let colored = Terminal(usesColor: true)
    #expect(plain.paint("x", .critical) == "x")
    #expect(colored.paint("x", .critical) == "\u{1b}[1;31mx\u{1b}[0m")
    #expect(colored.paint("x") == "x")
    #expect(colored.paint("", .critical) == "")
    #expect(plain.paint("a\u{1b}[2Jb") == #"a\u{1b}[2Jb"#)
  }

  @Test(
    "control characters, separators and reordering marks are escaped, all else is kept",
    arguments: [
      ("plain ä 層 🙂", "plain ä 層 🙂"), ("a\nb\tc\rd", #"a\nb\tc\rd"#), ("a\r\nb", #"a\r\nb"#),
      ("\u{7f}\u{9b}", #"\u{7f}\u{9b}"#), ("\u{202e}x\u{2028}", #"\u{202e}x\u{2028}"#),
      ("", ""),
    ]
  )
  func escaping(text: String, escaped: String) {
    #expect(text.escapingControls == escaped)
  }

  @Test("wide characters take two columns, marks none")
  func width() {
    #expect("layer".displayWidth == 5)
    #expect("層".displayWidth == 2)
    #expect("🙂".displayWidth == 2)
    #expect("e\u{301}".displayWidth == 1)
    #expect("×▁⣿─".displayWidth == 4)
  }

  @Test("a text that is too long loses its end or its middle, and never exceeds its width")
  func truncation() {
    #expect("transformer.h.0".truncated(to: 8) == "transfo…")
    #expect("transformer.h.0".truncated(to: 8, at: .middle) == "tra….h.0")
    #expect("transformer.h.0".truncated(to: 15) == "transformer.h.0")
    #expect("abc".truncated(to: 2, mark: "...") == "ab")
    #expect("abc".truncated(to: 0) == "")
    #expect("層層層".truncated(to: 4) == "層…")
    for columns in 0..<12 {
      for truncation in [String.Truncation.end, .middle] {
        #expect("a層b層c層d".truncated(to: columns, at: truncation).displayWidth <= columns)
      }
    }
  }

  @Test("prose is wrapped at its spaces, and a long word is left whole")
  func paragraph() {
    let terminal = Terminal(columns: 30)
    #expect(Paragraph.lines(" one  two\nthree ", columns: 8) == ["one two", "three"])
    #expect(Paragraph.lines("supercalifragilistic x", columns: 5) == ["supercalifragilistic", "x"])
    #expect(Paragraph.lines("", columns: 5) == [])
    #expect(
      Paragraph.labelled(
        "why",
        indentation: 6,
        text: "the rate is ten times too high",
        on: terminal
      )
        == """
        why   the rate is ten times
              too high

        """
    )
  }
}
