"""Keeping freed memory for the requests that follow, instead of giving it back and asking again."""

import os

from bridge.core import load_compiled

MAPPED_FROM_BYTES = 4 * 1024 * 1024
"""
Bytes from which a block is mapped by itself, and given back as soon as it is freed: as many as are
split at a time at most, so that only single requests of unusual size come as large.
"""

KEPT_BYTES = 16 * 1024 * 1024
"""
Bytes of freed memory behind the last block in use that the process keeps: what a few flushes of
`MAPPED_FROM_BYTES` take with their pieces and batches. It had them already, so that the highest
resident size does not grow by it.
"""

SETTINGS = (
    "GLIBC_TUNABLES",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRIM_THRESHOLD_",
)
"""Variables of the environment by which an operator decides it; ours then do not count."""


def keep_freed_memory() -> bool:
    """
    Let this process keep what it frees, up to `KEPT_BYTES`; says whether that could be done.

    The pieces and batches of a flush take a few hundred KiB to some MiB. By default glibc gives
    that back to the system when the flush has ended, and the next one pays for a page fault for
    each 4 KiB of it: a tenth of the CPU of requests of 100 and more spans. Nothing
    happens with another C library, without the compiled module, or where `SETTINGS` are set.

    Source:
        bridge/adr/0027-freed-memory-is-kept.md; mallopt(3).
    """
    compiled = load_compiled("bridge.wire")
    if compiled is None or any(name in os.environ for name in SETTINGS):
        return False
    kept: bool = compiled.keep_freed(MAPPED_FROM_BYTES, KEPT_BYTES)
    return kept
