"""
Hold the compiled forms of gathering against the Python forms under the sanitizers, by hand.

    PYTHONPATH=. .venv/bin/python tests/unit/processors/_gathering/fuzz_native.py [--seconds 120]

Builds the C files of ``bridge/processors/_gathering`` with ``-fsanitize=address,undefined`` (gcc
and its libasan) into a temporary folder, starts Python with the sanitizer loaded, and plays what
``test_plain.py`` and ``test_forms.py`` play, and bodies that are cut and flipped. Ends with the
number of games, or with the first difference or report of a sanitizer; the seed is printed.
"""

import argparse
import random
import sys
import time

from tests.sanitizers import ROOT, sanitized

SOURCES = sorted((ROOT / "bridge/processors/_gathering").glob("_*.c"))
NAME = "bridge.processors._gathering._native"


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
    seconds, seed = options.seconds, options.seed
    return sanitized(NAME, SOURCES, lambda: play(seconds, seed), seed)


if __name__ == "__main__":
    sys.exit(main())
