"""Keys of resources equal the Collector's."""

import pytest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from bridge.core import Malformed
from bridge.wire import resource_key


def resource(**attributes: str | int | float | bool) -> Resource:
    """A resource with these attributes, in this order."""
    made = Resource()
    for key, value in attributes.items():
        any_value = made.attributes.add(key=key.replace("__", ".")).value
        if isinstance(value, bool):
            any_value.bool_value = value
        elif isinstance(value, int):
            any_value.int_value = value
        elif isinstance(value, float):
            any_value.double_value = value
        else:
            any_value.string_value = value
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (resource(service__name="svc-a"), "b413fc641bef5cb4c54a30699e506330"),
        (resource(service__name="svc-b"), "5d58f03f752b2081b98f8b8fa42ce486"),
        (resource(host__name="host-1"), "8f0bd47d3db282abfd3d55c6e159478d"),
        (resource(), "0" * 32),
    ],
)
def test_key_of_known_resources_is_the_collectors(made: Resource, expected: str) -> None:
    """The values that the Collector computes."""
    assert expected == resource_key(made.SerializeToString()).hex()


def test_key_ignores_the_order_of_attributes() -> None:
    """The same attributes give the same key."""
    one, other = resource(a="1", b="2"), resource(b="2", a="1")

    assert resource_key(one.SerializeToString()) == resource_key(other.SerializeToString())


def test_key_tells_kinds_of_values_apart() -> None:
    """7, 7.0, "7" and true are four resources, and nested values count."""
    made = [resource(i=7), resource(i=7.0), resource(i="7"), resource(i=True), resource(i=False)]
    nested = Resource()
    nested.attributes.add(key="i").value.array_value.values.add().int_value = 7
    mapped = Resource()
    mapped.attributes.add(key="i").value.kvlist_value.values.add(key="i").value.int_value = 7
    empty = Resource()
    empty.attributes.add(key="i")
    binary = Resource()
    binary.attributes.add(key="i").value.bytes_value = b"7"
    made += [nested, mapped, empty, binary]

    assert len(made) == len({resource_key(one.SerializeToString()) for one in made})


def test_key_of_broken_resource_is_malformed() -> None:
    """Bytes that are no resource are refused."""
    with pytest.raises(Malformed):
        resource_key(b"\x0a\x7f")
