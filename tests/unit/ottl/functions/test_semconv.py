"""Naming spans by the semantic conventions."""

from typing import Any

import pytest

from bridge.ottl import OttlSyntaxError
from tests.unit.ottl.running import a_span, cursor_at, run

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


@pytest.mark.parametrize(
    ("kind", "attributes", "name"),
    [
        (SERVER, {"http.request.method": "GET", "http.route": "/a"}, "GET /a"),
        (SERVER, {"http.method": "GET"}, "GET"),
        (CLIENT, {"http.request.method": "GET", "url.template": "/a/{id}"}, "GET /a/{id}"),
        (CLIENT, {"http.request.method": "GET", "http.route": "/a"}, "GET"),
        (SERVER, {"rpc.system": "grpc", "rpc.service": "S", "rpc.method": "M"}, "S/M"),
        (SERVER, {"rpc.system": "grpc", "rpc.service": "S"}, "S/*"),
        (SERVER, {"rpc.system": "grpc"}, "grpc"),
        (CLIENT, {"db.system.name": "pg", "db.query.summary": "SELECT x"}, "SELECT x"),
        (
            CLIENT,
            {
                "db.system.name": "pg",
                "db.operation.name": "SELECT",
                "db.namespace": "shop",
                "db.collection.name": "items",
            },
            "SELECT shop.items",
        ),
        (CLIENT, {"db.system": "pg", "server.address": "h", "server.port": 5}, "h:5"),
        (CLIENT, {"db.system": "pg"}, "pg"),
        (SERVER, {"db.system": "pg"}, "old"),
        (
            PRODUCER,
            {
                "messaging.system": "kafka",
                "messaging.operation.name": "send",
                "messaging.destination.name": "t",
            },
            "send t",
        ),
        (
            CONSUMER,
            {"messaging.system": "kafka", "messaging.destination.temporary": True},
            "(temporary)",
        ),
        (CONSUMER, {"messaging.system": "kafka", "messaging.operation": "poll"}, "poll"),
        (CONSUMER, {"messaging.system": "kafka"}, "kafka"),
        (1, {"http.request.method": "GET"}, "old"),
        (SERVER, {}, "old"),
    ],
)
def test_span_is_named(kind: int, attributes: dict[str, Any], name: str) -> None:
    """By the first convention that its attributes fulfil; the old name is kept if it changed."""
    cursor = cursor_at(a_span(attributes, name=b"old", kind=kind))
    run(cursor, 'set_semconv_span_name("1.37.0", "was")')

    assert cursor.item.message.name == name.encode()
    assert cursor.item.attributes.to_map().get("was") == ("old" if name != "old" else None)


@pytest.mark.parametrize("arguments", ['"x"', '"0.1"', '"99.0.0"', '"1.37.0", ""'])
def test_senseless_argument_is_refused_at_start(arguments: str) -> None:
    """A version that there is not, or a key that is none."""
    with pytest.raises(OttlSyntaxError):
        run(cursor_at(b""), f"set_semconv_span_name({arguments})")
