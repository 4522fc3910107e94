"""Reading the W3C tracestate as strictly as the Collector."""

import pytest

from bridge.processors.tail_sampling.policies.trace_state import value_of


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (b"k=v", b"v"),
        (b"a=1,k=v", b"v"),
        (b"a=1,,k=v,", b"v"),
        (b" \tk=v \t", b"v"),
        (b"k=v w", b"v w"),
        (b"0tenant@system=1,k=v", b"v"),
        (b"a=1", b""),
        (b"k=v,bad", b""),
        (b"K=v", b""),
        (b"k=v,K=1", b""),
        (b"k=v,k=w", b""),
        (b"k=", b""),
        (b"k=a=b", b""),
        (b"k=v,1a=x", b""),
        (b"k=\xc3\xa4", b""),
        (b",".join(b"a%d=1" % number for number in range(31)) + b",k=v", b"v"),
        (b",".join(b"a%d=1" % number for number in range(32)) + b",k=v", b""),
        (b"k=" + b"v" * 256, b"v" * 256),
        (b"k=" + b"v" * 257, b""),
    ],
)
def test_value_of_a_key(state: bytes, expected: bytes) -> None:
    """One entry that is not valid spoils the whole list."""
    assert expected == value_of(state, b"k")
