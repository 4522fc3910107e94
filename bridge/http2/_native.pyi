def find_calls(
    data: bytes,
    position: int,
    last_id: int,
    count_max: int,
    message_bytes_max: int,
    room_bytes: int,
    /,
) -> list[tuple[int, bytes, int, bytes, int, int]]: ...
def decode_block(
    block: bytes,
    entries: list[tuple[bytes, bytes]],
    table_bytes: int,
    table_bytes_max: int,
    known: tuple[tuple[bytes, bytes], ...],
    steps: bytes,
    /,
) -> tuple[list[tuple[bytes, bytes]], int, int, int]: ...
