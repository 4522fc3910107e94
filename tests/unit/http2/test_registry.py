"""What is remembered of streams that are over."""

import pytest

from bridge.http2.frames import ConnectionFault, ErrorCode, StreamFault
from bridge.http2.registry import StreamRegistry
from tests.unit.http2.wire import connect, headers


def test_stray_frame_for_a_stream_we_reset_is_ignored() -> None:
    """It was on its way when our RST_STREAM left."""
    registry = StreamRegistry()
    registry.remember(1, by_us=True)

    registry.check_stray(1, None)

    assert registry.ended_by_us(1)


@pytest.mark.parametrize(
    ("stream_id", "code"), [(1, ErrorCode.STREAM_CLOSED), (3, ErrorCode.PROTOCOL_ERROR)]
)
def test_stray_frame_for_a_closed_stream_ends_the_connection(
    stream_id: int, code: ErrorCode
) -> None:
    """The peer knew that it was over, or never opened it."""
    registry = StreamRegistry()
    registry.remember(1, by_us=False)

    with pytest.raises(ConnectionFault) as fault:
        registry.check_stray(stream_id, None)

    assert code == fault.value.code


def test_stray_frame_for_an_ended_request_resets_it() -> None:
    """A request that has ended takes no more."""
    state, _ = connect()
    (stream,) = state.receive(headers(1, flags=5))

    with pytest.raises(StreamFault):
        state.registry.check_stray(1, stream)


def test_memory_of_closed_streams_is_bounded() -> None:
    """The oldest are forgotten; at least the last thousand are known."""
    registry = StreamRegistry()

    for stream_id in range(1, 10_000, 2):
        registry.remember(stream_id, by_us=True)

    assert registry.ended_by_us(9_999 - 2 * 999)
    assert registry.ended_by_us(1) is None
