from typing import TypeVar

_Record = TypeVar("_Record", bound=tuple[object, ...])

def crc32c(data: bytes | bytearray | memoryview, /) -> int: ...
def records(
    type: type[_Record],
    topic: str,
    partition: int,
    data: bytes | memoryview,
    count: int,
    base_offset: int,
    base_timestamp: int,
    fixed_timestamp: int,
    first_wanted: int,
    /,
) -> list[_Record]: ...
def record_head(
    key: bytes | None, value_size: int, tail_size: int, delta_ms: int, number: int, /
) -> bytes: ...
def frame_batch(
    attributes: int,
    count: int,
    first_ms: int,
    last_ms: int,
    producer_id: int,
    producer_epoch: int,
    sequence: int,
    pieces: list[bytes],
    /,
) -> bytes: ...

class Tally:
    open_entries: int
    acknowledged_items: int
    in_doubt_items: int
    live: bool

_Tally = TypeVar("_Tally", bound=Tally)

def open_shares(shares: list[tuple[_Tally, int, int]], /) -> None: ...
def doubt_shares(shares: list[tuple[_Tally, int, int]], sign: int, /) -> None: ...
def acknowledge_shares(shares: list[tuple[_Tally, int, int]], /) -> list[_Tally]: ...
def all_live(shares: list[tuple[_Tally, int, int]], /) -> bool: ...
