"""Requests as lines."""

import pytest

from bridge.cli.request_text import compare, lines_of, parse_request
from bridge.core import Malformed, Signal


def spans(*names: str, **attributes: object) -> dict[str, object]:
    """A request with spans of these names and attributes as a plain map."""
    made = [{"name": name, "attributes": attributes} for name in names]
    return {"resourceSpans": [{"scopeSpans": [{"spans": made}]}]}


def test_parse_request_takes_attributes_as_a_plain_map() -> None:
    """Values get the types that they have in JSON."""
    signal, body = parse_request(spans("a", s="x", i=3, f=1.5, t=True, l=[1, "b"], m={"k": None}))

    assert signal is Signal.TRACES
    assert [line.text.strip() for line in lines_of(signal, body)][-7:] == [
        "attributes:",
        "f: 1.5",
        "i: 3",
        'l: [1, "b"]',
        'm: {"k": null}',
        's: "x"',
        "t: true",
    ]


def test_parse_request_without_a_signal_is_malformed() -> None:
    """The message says which keys there are."""

    with pytest.raises(Malformed, match="resourceSpans, resourceMetrics, resourceLogs"):
        parse_request({"spans": []})


def test_lines_of_two_orders_of_attributes_are_the_same() -> None:
    """Their order means nothing."""

    assert lines_of(*parse_request(spans("a", x=1, y=2))) == lines_of(
        *parse_request(spans("a", y=2, x=1))
    )


def test_compare_names_the_item_that_changed() -> None:
    """Two spans alike are told apart."""
    before = lines_of(*parse_request(spans("a", "b", x=1)))
    after = [*before[:-1], *lines_of(*parse_request(spans("a", "b", x=2)))[-1:]]

    changes = list(compare(before, after))

    assert changes[0] == ("item", 'span 2 "b"')
    assert [text.strip() for change, text in changes if change == "removed"] == ["x: 1"]
    assert [text.strip() for change, text in changes if change == "added"] == ["x: 2"]
