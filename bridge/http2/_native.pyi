def find_calls(
    data: bytes,
    position: int,
    last_id: int,
    count_max: int,
    message_bytes_max: int,
    room_bytes: int,
    /,
) -> list[tuple[int, bytes, int, bytes, int, int]]: ...
