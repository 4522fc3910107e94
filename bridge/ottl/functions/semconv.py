"""The span name that the semantic conventions prescribe."""

import re
from typing import Any

from bridge.ottl.attributes import Attributes, Key
from bridge.ottl.expressions import Cursor, Run
from bridge.ottl.functions.registry import function, maybe, need
from bridge.ottl.gotext import attribute_text
from bridge.ottl.signature import Kind

VERSION_MIN, VERSION_MAX = (1, 37, 0), (1, 40, 0)
_SERVER, _CLIENT, _PRODUCER, _CONSUMER = 2, 3, 4, 5


@function(
    "set_semconv_span_name",
    need("semconv_version", Kind.TEXT),
    maybe("original_span_name_attribute", Kind.TEXT),
    contexts=("span",),
    in_conditions=False,
)
def set_semconv_span_name(
    semconv_version: str, original_span_name_attribute: str | None = None
) -> Run:
    """Name a span by the semantic conventions, and keep its old name in an attribute."""
    _check_version(semconv_version)
    if original_span_name_attribute == "":
        raise ValueError("original_span_name_attribute is empty")
    keep = None if original_span_name_attribute is None else Key(original_span_name_attribute)

    def run(cursor: Cursor) -> None:
        span = cursor.item
        old = span.message.name.decode("utf-8", "surrogateescape")
        new = _derive(span.attributes, span.message.kind)
        if new and new != old:
            span.writable().name = new.encode("utf-8", "surrogateescape")
            if keep is not None:
                span.attributes.set(keep, old)

    return run


def _check_version(text: str) -> None:
    match = re.fullmatch(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?", text)
    if not match:
        raise ValueError(f"{text!r} is no version of the semantic conventions")
    version = tuple(int(part or 0) for part in match.groups())
    if not VERSION_MIN <= version <= VERSION_MAX:
        low, high = (".".join(map(str, one)) for one in (VERSION_MIN, VERSION_MAX))
        raise ValueError(f"version {text} is not between {low} and {high}")


class _Reader:
    """Attributes as texts."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes

    def text(self, *names: str) -> str | None:
        """The text of the first of *names* that is there."""
        for name in names:
            raw = self._attributes.get_raw(Key(name))
            if raw is not None:
                return attribute_text(self._attributes.get(Key(name)))
        return None

    def is_true(self, name: str) -> bool:
        return self._attributes.get(Key(name)) is True


def _derive(attributes: Attributes, kind: int) -> str:
    read = _Reader(attributes)
    derivations: dict[int, list[Any]] = {
        _SERVER: [lambda: _http(read, "http.route"), lambda: _rpc(read), lambda: _messaging(read)],
        _CLIENT: [
            lambda: _http(read, "url.template"),
            lambda: _rpc(read),
            lambda: _database(read),
            lambda: _messaging(read),
        ],
        _PRODUCER: [lambda: _messaging(read)],
        _CONSUMER: [lambda: _messaging(read)],
    }
    return next((name for derive in derivations.get(kind, []) if (name := derive())), "")


def _http(read: _Reader, subject: str) -> str:
    method = read.text("http.request.method", "http.method")
    if method is None:
        return ""
    target = read.text(subject)
    return method if target is None else f"{method} {target}"


def _rpc(read: _Reader) -> str:
    system = read.text("rpc.system.name", "rpc.system")
    if system is None:
        return ""
    method = read.text("rpc.method", "rpc.grpc.method")
    service = read.text("rpc.service", "rpc.grpc.service")
    if method is not None:
        return method if service is None else f"{service}/{method}"
    return system if service is None else f"{service}/*"


def _database(read: _Reader) -> str:
    system = read.text("db.system.name", "db.system")
    if system is None:
        return ""
    summary = read.text("db.query.summary")
    if summary is not None:
        return summary
    operation = read.text("db.operation.name", "db.operation") or ""
    target = _database_target(read)
    return " ".join(filter(None, (operation, target))) or system


def _database_target(read: _Reader) -> str:
    namespace = read.text("db.namespace", "db.name") or ""
    within = read.text("db.collection.name")
    if within is None:
        within = read.text("db.stored_procedure.name")
    if within is not None:
        return f"{namespace}.{within}" if namespace else within
    return namespace or _server(read)


def _server(read: _Reader) -> str:
    address = read.text("server.address")
    if address is None:
        return ""
    port = read.text("server.port")
    return address if port is None else f"{address}:{port}"


def _messaging(read: _Reader) -> str:
    system = read.text("messaging.system")
    if system is None:
        return ""
    operation = read.text("messaging.operation.name", "messaging.operation")
    destination = _destination(read)
    if destination:
        return destination if operation is None else f"{operation} {destination}"
    return system if operation is None else operation


def _destination(read: _Reader) -> str:
    if read.is_true("messaging.destination.temporary"):
        return "(temporary)"
    if read.is_true("messaging.destination.anonymous"):
        return "(anonymous)"
    named = read.text("messaging.destination.template")
    if named is None:
        named = read.text("messaging.destination.name", "messaging.destination")
    return _server(read) if named is None else named
