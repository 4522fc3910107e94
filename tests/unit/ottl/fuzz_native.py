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
import random
import sys
import time
from pathlib import Path

from tests.sanitizers import sanitized

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "bridge/ottl/_native.c"
NAME = "bridge.ottl._native"
VALUES = [None, True, -1, 2.5, "text", b"data", [1], {"a": 1}, object()]


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
    return sanitized(NAME, [SOURCE], lambda: feed(given.seconds, given.seed), given.seed)


if __name__ == "__main__":
    sys.exit(main())
