"""
An OTLP request taken apart down to its items, which stay bytes; and put together again.

Envelopes (resource, scope, schema URLs, and fields that this version does not know) are kept as
encoded "heads" that stand before their children. Protobuf does not care about the order of
fields, so a head is right in front whatever order the sender wrote.
"""

from collections.abc import Iterable

from google.protobuf.message import DecodeError, Message

from bridge.core import Malformed
from bridge.wire._pb.shallow_pb2 import (
    RepeatedRequest,
    RepeatedResourceGroup,
    RepeatedScopeGroup,
    Request,
    ResourceGroup,
    ScopeGroup,
)
from bridge.wire.framing import ITEM, RESOURCE, RESOURCE_GROUP, SCHEMA_URL, SCOPE, SCOPE_GROUP

Scope = tuple[bytes, list[bytes]]
"""Its head, and its items in order."""

Resource = tuple[bytes, bytes, list[Scope]]
"""Its head, the ``Resource`` message inside the head, and its scopes in order."""


def parse(body: bytes) -> list[Resource]:
    """
    Take *body* apart.

    Exact for whatever protobuf allows: any order of fields, a resource that comes in several
    pieces (they are merged), unknown fields (they stay with their envelope). Unknown fields of
    the request itself belong to nobody and are dropped.

    Raises:
        Malformed: If the framing down to the items is broken. Items themselves are not looked at.
    """
    try:
        request = Request.FromString(body)
        request.DiscardUnknownFields()
        # Whatever the fast path would lose makes the encoding shorter than what came in.
        if request.ByteSize() != len(body):
            return _parse_oddly_encoded(body)
    except DecodeError as error:
        raise Malformed("the OTLP request is no valid protobuf") from error
    return [_resource(group) for group in request.resources]


def encode_scope(head: bytes, items: Iterable[bytes]) -> bytes:
    """One encoded entry of a resource's scopes."""
    parts = [head]
    for item in items:
        parts.append(ITEM[len(item)])
        parts.append(item)
    content = b"".join(parts)
    return SCOPE_GROUP[len(content)] + content


def encode_resource(head: bytes, scopes: Iterable[bytes]) -> bytes:
    """One encoded entry of a request, which alone is a request too."""
    content = head + b"".join(scopes)
    return RESOURCE_GROUP[len(content)] + content


def _resource(group: ResourceGroup) -> Resource:
    resource = group.resource
    head = RESOURCE[len(resource)] + resource if resource or group.HasField("resource") else b""
    url = group.schema_url
    if url:
        head += SCHEMA_URL[len(url)] + url
    return head, resource, [_scope(scope) for scope in group.scopes]


def _scope(group: ScopeGroup) -> Scope:
    scope = group.scope
    head = SCOPE[len(scope)] + scope if scope or group.HasField("scope") else b""
    url = group.schema_url
    if url:
        head += SCHEMA_URL[len(url)] + url
    return head, list(group.items)


def _parse_oddly_encoded(body: bytes) -> list[Resource]:
    resources: list[Resource] = []
    for encoded in RepeatedRequest.FromString(body).resources:
        group = RepeatedResourceGroup.FromString(encoded)
        resource = b"".join(group.resource)
        head = RESOURCE[len(resource)] + resource if group.resource else b""
        scopes = [_odd_scope(scope) for scope in group.scopes]
        resources.append((head + _rest(group, "resource", "scopes"), resource, scopes))
    return resources


def _odd_scope(encoded: bytes) -> Scope:
    group = RepeatedScopeGroup.FromString(encoded)
    scope = b"".join(group.scope)
    head = SCOPE[len(scope)] + scope if group.scope else b""
    items = list(group.items)
    return head + _rest(group, "scope", "items"), items


def _rest(message: Message, *handled: str) -> bytes:
    """What else the envelope holds: its schema URL and unknown fields, encoded."""
    for name in handled:
        message.ClearField(name)
    return message.SerializeToString()
