"""Heads, requests and answers."""

import pytest

from bridge.http1 import Head, Request, Response

DATE = "Wed, 25 Nov 2026 02:04:49 GMT"


def make_request(
    *fields: tuple[bytes, bytes], version: str = "1.1", method: bytes = b"POST"
) -> Request:
    """A request with these fields."""
    return Request(Head(method, b"/a?b=c", fields, version), 0, 0.0)


def test_head_names_are_lower_case_and_the_first_counts() -> None:
    """However the sender wrote them."""
    head = make_request((b"X-A", b"1"), (b"x-a", b"2")).head

    assert head.get(b"x-a") == b"1"
    assert head.fields == ((b"x-a", b"1"), (b"x-a", b"2"))
    assert head.path == b"/a"


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        ("1.1", None, True),
        ("1.1", b"Close", False),
        ("1.1", b"x, close", False),
        ("1.0", None, False),
        ("1.0", b"Keep-Alive", True),
    ],
)
def test_keep_alive_follows_version_and_field(
    version: str, connection: bytes | None, keep_alive: bool
) -> None:
    """HTTP/1.1 stays open unless told, HTTP/1.0 closes unless told."""
    fields = ((b"Connection", connection),) if connection is not None else ()

    assert make_request(*fields, version=version).keep_alive is keep_alive


def test_response_says_whether_it_closes() -> None:
    """The connection header is written where it says something new."""
    response = Response(200, ((b"a", b"b"),), b"body")

    kept = response.render(make_request(), DATE, close=False)
    closed = response.render(make_request(), DATE, close=True)
    old = response.render(make_request(version="1.0"), DATE, close=False)

    assert kept == (
        b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 4\r\n"
        b"date: Wed, 25 Nov 2026 02:04:49 GMT\r\n\r\nbody"
    )
    assert b"\r\nconnection: close\r\n\r\nbody" in closed
    assert b"\r\nconnection: keep-alive\r\n\r\nbody" in old


def test_response_to_head_has_no_body() -> None:
    """But the length that a GET would have had."""
    rendered = Response(405, (), b"body").render(make_request(method=b"HEAD"), DATE, close=False)

    assert rendered.endswith(b"\r\n\r\n")
    assert b"content-length: 4" in rendered


def test_response_without_content_has_no_length() -> None:
    """204 may not carry one."""
    assert b"content-length" not in Response(204).head


def test_response_with_more_fields_leaves_the_first_as_it_was() -> None:
    """Answers are shared."""
    first = Response(200, (), b"body")

    second = first.with_fields(((b"vary", b"Origin"),))

    assert b"vary" not in first.head
    assert second.head.endswith(b"vary: Origin\r\n")
    assert (second.status, second.body) == (200, b"body")


def test_request_shows_its_state() -> None:
    """What a log line shows of it."""
    assert repr(make_request()) == "<Request b'POST' b'/a?b=c' arriving, 0 bytes>"
