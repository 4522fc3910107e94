from typing import TypeVar

_Owner = TypeVar("_Owner")

def count(
    body: bytes, signal: int, depth_max: int, envelopes_max: int, fields_max: int, /
) -> int: ...
def count_many(
    bodies: list[bytes | None],
    signal: int,
    depth_max: int,
    envelopes_max: int,
    fields_max: int,
    /,
) -> list[int | None]: ...
def keep_freed(mapped_from: int, kept: int, /) -> bool: ...
def split(
    body: bytes, logs: bool, partitions: int, murmur2: bool, copied_max: int, /
) -> list[tuple[int, bytes, int]] | None: ...
def split_many(
    bodies: list[bytes],
    owners: list[_Owner],
    logs: bool,
    partitions: int,
    murmur2: bool,
    bytes_max: int,
    copied_max: int,
    /,
) -> list[tuple[int, bytes, int, list[tuple[_Owner, int, int]]]] | None: ...
