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
