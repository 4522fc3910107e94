"""Every bound of an HTTP/2 connection, by name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Http2Limits:
    """
    What one peer may cost. Bytes and seconds; counts where the name has no unit.

    `stream_window_bytes` and `connection_window_bytes` are what a peer may have on its way at once;
    what may be *held* is the handler's budget, asked before a body is buffered.
    `resets_max_per_10s` and `control_frames_max_per_10s` bound work that brings no data; every
    frame that brings some adds `control_frames_per_useful_frame`, since gRPC clients measure the
    link with a PING for nearly every answer.
    """

    concurrent_streams_max: int = 100
    header_list_bytes_max: int = 16 << 10
    header_block_bytes_max: int = 64 << 10
    header_frames_max: int = 64
    stream_window_bytes: int = 4 << 20
    connection_window_bytes: int = 16 << 20
    discarded_bytes_max: int = 64 << 10
    resets_max_per_10s: int = 500
    control_frames_max_per_10s: int = 1_000
    control_frames_per_useful_frame: int = 4
    cached_heads_max: int = 16


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    How long one peer may take. Seconds.

    `request_s` is for a whole request, 0 for no such limit (HTTP/1 only). `body_s` is how long a
    body may go without `body_progress_bytes_min` new bytes. `age_s` counts from the connection's
    start and is spread by 10 % either way, so that connections opened together do not end
    together; `age_grace_s` is left to the requests in flight then.
    """

    handshake_s: float = 10.0
    head_s: float = 10.0
    request_s: float = 0.0
    body_s: float = 30.0
    body_progress_bytes_min: int = 4 << 10
    idle_s: float = 75.0
    write_s: float = 30.0
    age_s: float = 300.0
    age_grace_s: float = 30.0
    ping_s: float = 7_200.0
    ping_ack_s: float = 20.0
