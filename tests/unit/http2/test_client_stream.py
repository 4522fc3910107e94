"""Cutting a message into frames."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.http2.client_stream import ClientStream


@given(
    prefix=st.binary(max_size=6),
    message=st.binary(max_size=40),
    sizes=st.lists(st.integers(1, 20), max_size=50),
)
def test_frames_hold_the_message_once_and_end_it(
    prefix: bytes, message: bytes, sizes: list[int]
) -> None:
    """Wherever it is cut, also inside the prefix."""
    stream = ClientStream(5, prefix, memoryview(message), 100)
    payload, flags = b"", []
    for size in [*sizes, 1 << 20]:
        size = min(size, stream.unsent_bytes)
        if size:
            out: list[bytes | memoryview] = []
            stream.write_frame(out, size)
            head, *parts = out
            assert int.from_bytes(head[:3], "big") == sum(map(len, parts)) == size
            payload += b"".join(parts)
            flags.append(head[4])

    assert payload == prefix + message
    assert flags == [0] * (len(flags) - 1) + [1] * bool(payload)
