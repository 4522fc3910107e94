"""
Hold the compiled forms of gathering against the Python forms under the sanitizers, by hand.

    .venv/bin/python tests/unit/processors/_gathering/fuzz_native.py [--seconds 120] [--seed 1]

Builds the C files of ``bridge/processors/_gathering`` with ``-fsanitize=address,undefined`` (gcc
and its libasan) into a temporary folder, starts Python with the sanitizer loaded, and plays what
``test_plain.py`` and ``test_forms.py`` play, and bodies that are cut and flipped. Ends with the
number of games, or with the first difference or report of a sanitizer; the seed is printed.
"""

import argparse
import importlib.util
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
SOURCES = sorted((ROOT / "bridge/processors/_gathering").glob("_*.c"))
NAME = "bridge.processors._gathering._native"
_CHILD = "OTLP_BRIDGE_FUZZED_MODULE"


def build(folder: Path) -> Path:
    """The module with sanitizers, compiled into *folder*."""
    compiler = os.environ.get("CC", "gcc")
    made = folder / "_native.so"
    flags = ["-g", "-O1", "-shared", "-fPIC", "-fno-omit-frame-pointer", "-Wall", "-Wextra"]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    include = "-I" + sysconfig.get_paths()["include"]
    subprocess.run([compiler, *flags, *checks, include, *SOURCES, "-o", made], check=True)
    return made


def run_child(module: Path) -> int:
    """This program again, with the sanitizer's library in front of everything."""
    compiler = os.environ.get("CC", "gcc")
    asked = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": asked.stdout.strip(),
        # The interpreter keeps much until its end; test_forms.py counts what is left behind.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # Every object in memory of its own, so that a read beyond it is seen.
        "PYTHONMALLOC": "malloc",
        _CHILD: str(module),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def load_module(path: str) -> None:
    """Put the sanitized module where `bridge.core.load_compiled` looks for it."""
    spec = importlib.util.spec_from_file_location(NAME, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[NAME] = module


def play(seconds: float, seed: int) -> int:
    """Play until the time is over; how many games there were."""
    from tests.unit.processors._gathering import test_native, test_plain
    from tests.unit.processors.tail_sampling import test_forms

    compiled = test_plain.compiled
    games, until_s = 0, time.monotonic() + seconds
    while time.monotonic() < until_s:
        print(f"seed {seed}", end="\r", flush=True)
        dice = random.Random(seed)
        assert test_plain.play(test_plain.plain, seed) == test_plain.play(compiled, seed)
        changes = test_forms.OPTIONS[seed % len(test_forms.OPTIONS)]
        found = test_forms.transcript(seed, changes)
        with test_forms.in_python():
            assert test_forms.transcript(seed, changes) == found
        for body in test_forms.bodies(dice, 20):
            changed = bytearray(body)
            for _ in range(dice.randrange(4) if changed else 0):
                at = dice.randrange(len(changed))
                changed[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
                changed += b"\0"
            test_native.both(bytes(changed))
            try:
                compiled.find(bytes(changed))
            except ValueError:
                continue
        seed, games = seed + 1, games + 1
    return games


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    module = os.environ.get(_CHILD)
    if module is None:
        with tempfile.TemporaryDirectory() as folder:
            return run_child(build(Path(folder)))
    load_module(module)
    print(f"{play(options.seconds, options.seed)} games, no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
