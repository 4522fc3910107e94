"""Converters about addresses."""

from typing import Any

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from tests.unit.ottl.running import a_span, cursor_at, value_of


def test_url_gives_the_parts_under_their_conventional_names() -> None:
    """Port and domain have their own, and the extension of a file."""
    parts = value_of('URL("http://u:p@example.com:8080/a/b.png?x=1&y#frag")')

    assert parts["url.scheme"] == "http"
    assert parts["url.domain"] == "example.com"
    assert parts["url.port"] == 8080
    assert parts["url.path"] == "/a/b.png"
    assert parts["url.extension"] == "png"
    assert parts["url.query"] == "x=1&y"
    assert parts["url.fragment"] == "frag"
    assert parts["url.username"] == "u"


def test_url_of_nothing_fails() -> None:
    """An empty text is no URL."""
    with pytest.raises(OttlError, match="empty"):
        value_of('URL(attributes["u"])', cursor_at(a_span({"u": ""})))


@pytest.mark.parametrize(
    ("address", "networks", "inside"),
    [
        ("10.1.2.3", '["10.0.0.0/8"]', True),
        ("11.1.2.3", '["10.0.0.0/8"]', False),
        ("11.1.2.3", '["10.0.0.0/8", "11.0.0.0/8"]', True),
        ("::1", '["::/64"]', True),
        ("::ffff:10.0.0.1", '["10.0.0.0/8"]', True),
        ("10.0.0.1", '["::/0"]', False),
        ("fe80::1%eth0", '["fe80::/10"]', False),
        ("no address", '["0.0.0.0/0"]', False),
        ("10.1.2.3", '["10.1.2.3/32"]', True),
        ("10.1.2.3", "[]", False),
        ("10.1.2.3", '[attributes["net"]]', True),
    ],
)
def test_address_lies_in_a_network(address: str, networks: str, inside: Any) -> None:
    """An IPv4 address in IPv6 clothes is one; one with a zone is none."""
    cursor = cursor_at(a_span({"a": address, "net": "10.0.0.0/8"}))

    assert value_of(f'IsInCIDR(attributes["a"], {networks})', cursor) is inside


def test_network_that_is_none_is_refused_at_start_or_fails() -> None:
    """As a literal at start, from an attribute on the item."""
    for text in ("10.0.0.0", "10.0.0.0/99", "x/8"):
        with pytest.raises(OttlSyntaxError, match="no network"):
            value_of(f'IsInCIDR("10.0.0.1", ["{text}"])')
    with pytest.raises(OttlError, match="no network"):
        value_of(
            'IsInCIDR("10.0.0.1", [attributes["net"]])', cursor_at(a_span({"net": "10.0.0.0"}))
        )
