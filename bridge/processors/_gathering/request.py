"""Writing ranges of spans as OTLP requests."""

from collections.abc import Iterable

from bridge.processors._gathering.native import compiled
from bridge.processors._gathering.trace import Parts, Trace
from bridge.wire import varint

_SCOPE_GROUP, _RESOURCE_GROUP = b"\x12", b"\x0a"


def framed_spans(parts: Parts) -> bytes:
    """The spans one after the other, each with its tag and length, in the order of arrival."""
    if len(parts) == 3:
        chunk, start, stop = parts
        spans: bytes = chunk[0][start:stop]
        return spans
    flat = iter(parts)
    return b"".join(
        [chunk[0][start:stop] for chunk, start, stop in zip(flat, flat, flat, strict=True)]
    )


def request_in_order(parts: Parts) -> bytes:
    """One trace as a request; spans of different scopes stay in the order of arrival."""
    resources: list[tuple[bytes, list[tuple[bytes, list[bytes]]]]] = []
    flat = iter(parts)
    for chunk, start, stop in zip(flat, flat, flat, strict=True):
        resource, scope = chunk[1], chunk[2]
        # A large resource above many small scopes is written once, as it came.
        if not resources or resources[-1][0] != resource:
            resources.append((resource, []))
        scopes = resources[-1][1]
        if not scopes or scopes[-1][0] != scope:
            scopes.append((scope, []))
        scopes[-1][1].append(chunk[0][start:stop])
    return b"".join(
        _resource_group(resource, [_scope_group(scope, spans) for scope, spans in scopes])
        for resource, scopes in resources
    )


def request_grouped(traces: Iterable[Parts]) -> bytes:
    """Traces as one request in which every resource and every scope stands once."""
    resources: dict[bytes, dict[bytes, list[bytes]]] = {}
    for parts in traces:
        flat = iter(parts)
        for chunk, start, stop in zip(flat, flat, flat, strict=True):
            resource, scope = chunk[1], chunk[2]
            scopes = resources.setdefault(resource, {})
            try:
                spans = scopes[scope]
            except KeyError:
                spans = scopes[scope] = []
            spans.append(chunk[0][start:stop])
    return b"".join(
        _resource_group(resource, [_scope_group(scope, spans) for scope, spans in scopes.items()])
        for resource, scopes in resources.items()
    )


def request_of(traces: list[Trace]) -> bytes:
    """The same of whole traces, by the compiled form if there is one."""
    if compiled is None:
        return request_grouped(trace.parts for trace in traces)
    body: bytes = compiled.request(traces)
    return body


def _scope_group(head: bytes, spans: list[bytes]) -> bytes:
    content = b"".join((head, *spans))
    return _SCOPE_GROUP + varint(len(content)) + content


def _resource_group(head: bytes, scopes: Iterable[bytes]) -> bytes:
    content = b"".join((head, *scopes))
    return _RESOURCE_GROUP + varint(len(content)) + content
