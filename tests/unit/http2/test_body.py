"""Bodies as they arrive."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.http2 import Body


@given(st.lists(st.integers(0, 3_000), max_size=20), st.integers(0, 8))
def test_body_is_what_was_added(sizes: list[int], skip_bytes: int) -> None:
    """However it is cut, and whatever is skipped at its front."""
    body, whole = Body(), b""
    for number, size in enumerate(sizes):
        piece = bytes([number % 251]) * size
        body.add(piece)
        whole += piece

    assert len(whole) == body.received_bytes
    assert whole[:5] == body.prefix(5)
    taken = body.take_body(skip_bytes)
    assert whole[skip_bytes:] == taken
    assert type(taken) is bytes
    assert body.parts == []


def test_body_sent_singly_is_gathered() -> None:
    """A body of single bytes costs one buffer, not one object a byte."""
    body = Body()

    for _ in range(10_000):
        body.add(b"x")

    assert len(body.parts) == 2
