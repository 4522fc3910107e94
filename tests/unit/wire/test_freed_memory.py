"""What a process frees it keeps for what follows; the setting is of a whole process."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from bridge.core import load_compiled
from bridge.wire.freed_memory import KEPT_BYTES, MAPPED_FROM_BYTES, SETTINGS

BLOCKS = """
import resource, sys
from bridge.wire import keep_freed_memory
size, kept = int(sys.argv[1]), keep_freed_memory() if sys.argv[2] == "keep" else False
blocks = [b"x" * size for _ in range(4)]
del blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks = [b"x" * size for _ in range(4)]
    del blocks
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

compiled = pytest.mark.skipif(
    load_compiled("bridge.wire") is None or not os.confstr("CS_GNU_LIBC_VERSION"),
    reason="a setting of glibc, made by the compiled module",
)


def faults(
    size: int, *, keep: bool = True, environment: Mapping[str, str] | None = None
) -> tuple[str, int]:
    """What `keep_freed_memory` said, and the page faults of 80 blocks of *size* bytes."""
    plain = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    found = subprocess.run(
        [sys.executable, "-c", BLOCKS, str(size), "keep" if keep else "leave"],
        env={**plain, **(environment or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    said, count = found.stdout.split()
    return said, int(count)


@compiled
def test_blocks_of_a_flush_are_taken_again_without_faults() -> None:
    """Four of a MiB, twenty times over: 256 pages each, which come once."""
    said, kept = faults(1 << 20)
    _, given_back = faults(1 << 20, keep=False)

    assert said == "True"
    assert kept < 80
    assert given_back > 20 * kept


@compiled
def test_block_of_unusual_size_is_given_back() -> None:
    """Each time it is mapped anew: nothing of it stays when it is freed."""
    said, count = faults(MAPPED_FROM_BYTES * 2)

    assert said == "True"
    assert count > 80 * MAPPED_FROM_BYTES * 2 / 4096 * 0.9


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_operator_count(name: str) -> None:
    """Whoever set the allocator is not overruled."""
    value = "glibc.malloc.trim_threshold=131072" if name == "GLIBC_TUNABLES" else "131072"

    assert faults(4096, environment={name: value})[0] == "False"


def test_nothing_is_kept_without_the_compiled_module() -> None:
    """There is nothing that could tell the C library."""
    assert faults(4096, environment={"OTLP_BRIDGE_PURE": "1"})[0] == "False"


def test_bounds_fit_the_allocator() -> None:
    """Blocks up to the smaller bound come from what the larger one keeps; glibc takes 32 MiB."""
    assert MAPPED_FROM_BYTES < KEPT_BYTES <= 32 * 1024 * 1024
