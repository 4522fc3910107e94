"""Frames between the parent and a worker, over a pair of sockets that both inherit."""

import asyncio
import struct
from dataclasses import dataclass

from bridge.config import LoadedConfig
from bridge.service.connection_sharing import SharingPlan

FRAME_BYTES_MAX = 64 << 20
"""Bound of one frame: figures of many thousand series, far beyond what a page of metrics holds."""

STATUS = b"status"
FIGURES = b"figures"
VIEW = b"view"
LOOK = b"look"
"""Followed by JSON: a question of the extension `admin` about what passes the stages."""
RELOAD = b"reload"
"""Followed by the pickled plan; the answer says that it came. `STATUS` tells what became of it."""

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """
    All that a worker is told: the config that the parent read, so that all run the same.

    `generation` counts the configs that the parent has read; `sharing` is what spreads connections,
    where the system can.
    """

    number: int
    config: LoadedConfig
    shutdown_timeout_s: float
    generation: int = 0
    sharing: SharingPlan | None = None


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """
    The next frame. The caller gives the time; a cancelled read leaves the link unusable.

    Raises:
        EOFError: If the other side has gone.
        ValueError: If the frame is larger than `FRAME_BYTES_MAX`.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise ValueError(f"frame of {length} bytes, allowed are {FRAME_BYTES_MAX}")
    return await reader.readexactly(length)


async def write_frame(writer: asyncio.StreamWriter, frame: bytes) -> None:
    """
    Send one frame. The caller gives the time.

    Raises:
        OSError: If the other side has gone.
    """
    writer.write(_LENGTH.pack(len(frame)) + frame)
    await writer.drain()
