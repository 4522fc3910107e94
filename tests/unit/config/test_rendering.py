"""Problems as text and as data."""

from bridge.config import ConfigErrors, Position, Problem, Source, render_json, render_plain
from bridge.config.problems import in_order
from bridge.config.rendering import LINE_WIDTH_MAX, STYLES, mask_secrets, segments

TEXT = "receivers:\n  otlp: {prt: 1}\n\texporters: x\n"
SOURCE = Source("a.yaml", TEXT)


def test_plain_rendering_has_place_line_caret_and_fix() -> None:
    """Everything that is needed to mend it."""
    problem = Problem(
        "BR-1301",
        "unknown key prt",
        Position(SOURCE, 2, 10, 3),
        hint="did you mean port?",
        allowed=("port", "mode"),
    )

    assert render_plain([problem]) == (
        "a.yaml:2:10: error BR-1301: unknown key prt\n"
        "     2 |   otlp: {prt: 1}\n"
        "       |          ^^^\n"
        "  fix: did you mean port?\n"
        "  allowed: port, mode\n"
        "\n"
        "1 error; otlp-bridge explain BR-1301 tells more"
    )


def test_plain_rendering_without_a_place_has_the_fix_of_the_code() -> None:
    """What no line can be shown for."""

    assert render_plain([Problem("BR-2002", "x has no effect")]) == (
        "warning BR-2002: x has no effect\n"
        "  fix: It may stay; remove it to be rid of the warning.\n"
        "\n"
        "1 warning; otlp-bridge explain BR-2002 tells more"
    )


def test_plain_rendering_indents_the_lines_of_a_message() -> None:
    """A message with a caret of its own stays aligned."""
    text = render_plain([Problem("BR-1304", "no such function\n  abc\n   ^")])

    assert "no such function\n      abc\n       ^\n" in text


def test_plain_rendering_keeps_tabs_under_tabs() -> None:
    """The caret stands right whatever the width of a tab."""
    text = render_plain([Problem("BR-1002", "tab", Position(SOURCE, 3, 2, 9))])

    assert "     3 | \texporters: x\n       | \t^^^^^^^^^\n" in text


def test_plain_rendering_names_the_reference() -> None:
    """A value from outside is not what stands in the line."""
    position = Position(SOURCE, 2, 3, 4, via="${env:A}")

    assert "the value came from ${env:A}" in render_plain([Problem("BR-1302", "x", position)])


def test_plain_rendering_cuts_long_lines_around_the_caret() -> None:
    """A file of one line does not fill the screen."""
    source = Source("a.json", "x" * 1000 + "HERE" + "y" * 1000)
    lines = render_plain([Problem("BR-1302", "x", Position(source, 1, 1001, 4))]).splitlines()

    assert max(map(len, lines)) < LINE_WIDTH_MAX + 20
    assert lines[1].index("HERE") == lines[2].index("^^^^")


def test_plain_rendering_has_no_control_characters() -> None:
    """A file cannot send commands to the terminal."""
    source = Source("a.yaml", "a: \x1b[31m")

    assert "\x1b" not in render_plain([Problem("BR-1002", "x", Position(source, 1, 1))])


def test_plain_rendering_beyond_the_text_shows_no_line() -> None:
    """The end of a file has nothing to show."""

    assert "|" not in render_plain([Problem("BR-1002", "x", Position(SOURCE, 99, 1))])


def test_plain_rendering_of_many_names_is_cut() -> None:
    """Forty are more than anybody reads."""
    text = render_plain([Problem("BR-1204", "x", allowed=tuple(f"n{i}" for i in range(50)))])

    assert "n39 and 10 more" in text
    assert "n40" not in text


def test_plain_rendering_of_nothing() -> None:
    """Only the count."""

    assert render_plain([]) == "no problems"


def test_json_rendering_has_every_fact() -> None:
    """The same facts for machines; no place is null."""
    position = Position(SOURCE, 2, 10, 3)
    placed, unplaced = render_json(
        [Problem("BR-1301", "m", position, "p"), Problem("BR-2002", "n")]
    )

    assert placed == {
        "code": "BR-1301",
        "severity": "error",
        "message": "m",
        "path": "p",
        "fix": "Take one of the keys that the message lists; otlp-bridge explain tells their "
        "meaning.",
        "allowed": [],
        "file": "a.yaml",
        "line": 2,
        "column": 10,
        "source_line": "  otlp: {prt: 1}",
    }
    assert (unplaced["file"], unplaced["line"]) == (None, None)


def test_secrets_are_masked_in_lines() -> None:
    """A message may end up in a log; references show nothing and stay."""

    assert mask_secrets("  password: hunter2") == "  password: ********"
    assert mask_secrets('x: {"api_key": "k", b: 1}') == 'x: {"api_key": ********'
    assert mask_secrets("  password: ${env:PW}") == "  password: ${env:PW}"
    assert mask_secrets("  key_pem: abc") == "  key_pem: ********"
    assert mask_secrets("--set a.password=hunter2") == "--set a.password=********"
    assert mask_secrets("  username: me") == "  username: me"
    text = render_plain([Problem("BR-1302", "x", Position(Source("a", "password: 12345"), 1, 11))])
    assert "12345" not in text


def test_segments_have_known_styles() -> None:
    """Each piece of text can be coloured."""
    problem = Problem("BR-1301", "x", Position(SOURCE, 2, 10, 3), allowed=("a",))

    assert {style for _, style in segments([problem])} <= set(STYLES)


def test_problems_are_ordered_and_unique() -> None:
    """Errors first, by source and line; the same problem only once."""
    other = Source("b.yaml", TEXT)
    late = Problem("BR-1301", "late", Position(SOURCE, 3, 1))
    early = Problem("BR-1301", "early", Position(SOURCE, 1, 1))
    second = Problem("BR-1301", "second", Position(other, 1, 1))
    warning = Problem("BR-2001", "warning", Position(SOURCE, 1, 1))
    unplaced = Problem("BR-1401", "unplaced")

    assert in_order([warning, late, second, early, late, unplaced]) == [
        unplaced,
        early,
        late,
        second,
        warning,
    ]


def test_config_errors_text_is_the_plain_rendering() -> None:
    """Whoever only prints the exception prints everything."""
    problem = Problem("BR-1401", "no pipelines")
    error = ConfigErrors([problem])

    assert str(error) == render_plain([problem])
    assert error.problems == (problem,)
