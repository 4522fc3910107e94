"""Browsers of other origins."""

import pytest

from bridge.http1 import Head
from bridge.receivers.otlp.config import Cors
from bridge.receivers.otlp.cors import CorsPolicy


def make_head(method: bytes = b"POST", **fields: str) -> Head:
    """A head with these fields."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return Head(method, b"/v1/traces", pairs, "1.1")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://app.example.com", True),
        ("https://APP.example.com", True),
        ("https://example.com.evil.org", False),
        ("http://app.example.com", False),
        ("https://exact.org", True),
    ],
)
def test_origin_is_matched_whole(origin: str, allowed: bool) -> None:
    """A star stands for any text inside an origin, nothing else does."""
    policy = CorsPolicy(Cors(allowed_origins=("https://*.example.com", "https://exact.org")))

    fields = dict(policy.fields(make_head(origin=origin)))

    assert (fields.get(b"access-control-allow-origin") == origin.encode()) is allowed


def test_no_origin_is_allowed_by_default() -> None:
    """An empty list lets nobody in."""
    assert CorsPolicy(Cors()).fields(make_head(origin="https://a.org")) == ()


def test_request_without_an_origin_gets_nothing() -> None:
    """Only browsers ask."""
    assert CorsPolicy(Cors(allowed_origins=("*",))).fields(make_head()) == ()


def test_preflight_names_methods_headers_and_age() -> None:
    """What a browser needs to know before it sends."""
    policy = CorsPolicy(Cors(allowed_origins=("*",), allowed_headers=("X-Token",), max_age=60))
    head = make_head(b"OPTIONS", origin="https://a.org", access_control_request_method="POST")

    response = policy.preflight(head)

    assert response is not None
    assert response.status == 204
    assert b"access-control-allow-methods: POST\r\n" in response.head
    assert b"content-type, x-token\r\n" in response.head
    assert b"access-control-max-age: 60\r\n" in response.head


def test_preflight_reflects_headers_if_all_are_allowed() -> None:
    """A star cannot be answered literally when credentials are sent."""
    policy = CorsPolicy(Cors(allowed_origins=("*",), allowed_headers=("*",)))
    head = make_head(
        b"OPTIONS",
        origin="https://a.org",
        access_control_request_method="POST",
        access_control_request_headers="x-any",
    )

    response = policy.preflight(head)

    assert response is not None
    assert b"access-control-allow-headers: x-any\r\n" in response.head


def test_preflight_of_a_stranger_allows_nothing() -> None:
    """It is answered, without permission."""
    policy = CorsPolicy(Cors(allowed_origins=("https://a.org",)))
    head = make_head(b"OPTIONS", origin="https://b.org", access_control_request_method="POST")

    response = policy.preflight(head)

    assert response is not None
    assert b"access-control" not in response.head


def test_other_requests_are_no_preflight() -> None:
    """Neither POST nor a plain OPTIONS."""
    policy = CorsPolicy(Cors(allowed_origins=("*",)))

    assert policy.preflight(make_head(origin="https://a.org")) is None
    assert policy.preflight(make_head(b"OPTIONS", origin="https://a.org")) is None
