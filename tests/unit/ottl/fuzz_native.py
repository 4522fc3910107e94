"""
Hold the compiled form of bridge.ottl against the Python form under the sanitizers, by hand.

    .venv/bin/python tests/unit/ottl/fuzz_native.py [--seconds 120] [--seed 1]

Builds ``bridge/ottl/_native.c`` with ``-fsanitize=address,undefined`` (gcc and its libasan) into a
temporary folder, starts Python with the sanitizer loaded and feeds both forms the strange
pairs and spans of ``test_native.py``, cut, flipped, padded, repeated and shuffled.
Ends with the number of inputs, or with the first difference or report of a sanitizer; the
seed and the input are printed, so that it can be repeated and become a line of that test.
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

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "bridge/ottl/_native.c"
NAME = "bridge.ottl._native"
VALUES = [None, True, -1, 2.5, "text", b"data", [1], {"a": 1}, object()]
_CHILD = "OTLP_BRIDGE_FUZZED_MODULE"


def build(folder: Path) -> Path:
    """The module with sanitizers, compiled into *folder*."""
    compiler = os.environ.get("CC", "gcc")
    made = folder / "_native.so"
    flags = ["-g", "-O1", "-shared", "-fPIC", "-fno-omit-frame-pointer", "-Wall", "-Wextra"]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    include = "-I" + sysconfig.get_paths()["include"]
    subprocess.run([compiler, *flags, *checks, include, SOURCE, "-o", made], check=True)
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
        # The interpreter keeps much until its end; test_native.py counts what the module leaves.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # Every object in memory of its own, so that a read beyond it is seen.
        "PYTHONMALLOC": "malloc",
        _CHILD: str(module),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def load_module(path: str) -> None:
    """Put the sanitized module where `bridge.ottl.native` looks for it."""
    spec = importlib.util.spec_from_file_location(NAME, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[NAME] = module


def mutate(dice: random.Random, data: bytes, pool: list[bytes]) -> bytes:
    """*data* changed at one to three places."""
    for _ in range(dice.randint(1, 3)):
        at, size = dice.randint(0, len(data)), dice.choice([1, 1, 2, 5, 10])
        piece = dice.choice([dice.randbytes(size), b"\x80" * size, b"\xff" * size])
        match dice.randrange(5):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + piece + data[at:]
            case 2:
                data = data[:at] + piece + data[at + len(piece) :]
            case 3:
                data = data + dice.choice(pool)
            case _:
                data = data[:at] + data[at + size :]
    return data


def feed(seconds: float, seed: int) -> int:
    """Both forms on inputs for so long; the number of inputs."""
    from tests.unit.ottl import test_native as checks

    dice = random.Random(seed)
    pairs, spans = list(checks.STRANGE_PAIRS.values()), list(checks.STRANGE_SPANS.values())
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        pair = mutate(dice, dice.choice(pairs), pairs)
        made = [pair, *dice.sample(pairs, dice.randrange(3))]
        dice.shuffle(made)
        inner = [checks.delimited(b"\x4a", one) for one in made]
        span = b"".join(dice.sample([*inner, dice.choice(spans)], len(inner) + 1))
        if dice.random() < 0.5:
            span = mutate(dice, span, spans)
        try:
            checks.read(pair)
            checks.look_at_pairs(made, "z")
            checks.look_at_changes(
                made, checks.Key(dice.choice(["a", "z", ""])), dice.choice(VALUES)
            )
            checks.look_at_item(span)
            checks.splice(span, made)
            checks.glance(span, dice.choice([b"a", b"z", b"", b"x"]))
            checks.change(span, dice.choice(["a", "new", ""]), dice.choice([None, 1, "x"]), "b")
        except BaseException:
            print(f"seed {seed}, input {count}: pairs {made!r}, span {span!r}", file=sys.stderr)
            raise
        count += 1
    return count


def main() -> int:
    """Build, or, as the child, feed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    module = os.environ.get(_CHILD)
    if module is None:
        with tempfile.TemporaryDirectory() as folder:
            return run_child(build(Path(folder)))
    load_module(module)
    count = feed(given.seconds, given.seed)
    print(f"{count} inputs, no difference, nothing for the sanitizers to say (seed {given.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
