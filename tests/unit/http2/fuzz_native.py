"""
Hold the compiled form of bridge.http2 against the Python form under the sanitizers, by hand.

    PYTHONPATH=. .venv/bin/python tests/unit/http2/fuzz_native.py [--seconds 120] [--seed 1]

Builds ``bridge/http2/_native.c`` with ``-fsanitize=address,undefined`` (gcc and its libasan) into a
temporary folder, starts Python with the sanitizer loaded and feeds both forms the strange
calls of ``test_call_finder.py`` and blocks of ``test_header_decoder.py``. Ends with the number of
inputs, or with the first difference or report of a sanitizer; the seed and the input are printed,
so that it can be repeated and become a line of that test.
"""

import argparse
import random
import sys
import time

from tests.sanitizers import ROOT, sanitized

SOURCE = ROOT / "bridge/http2/_native.c"
NAME = "bridge.http2._native"


def feed(seconds: float, seed: int) -> int:
    """Both forms on inputs for so long; the number of inputs."""
    from bridge.http2 import call_finder
    from tests.unit.http2 import test_header_decoder as heads
    from tests.unit.http2.test_call_finder import strange_bounds, strange_text

    find_calls = sys.modules[NAME].find_calls
    dice = random.Random(seed)
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        text = strange_text(dice)
        bounds = strange_bounds(dice, len(text))
        if find_calls(text, *bounds) != call_finder.find_calls_in_python(text, *bounds):
            raise AssertionError(f"seed {seed}, input {count}: {text!r}, {bounds}")
        decoders = heads.HeaderDecoder(None), heads.HeaderDecoder(sys.modules[NAME])
        for block in heads.strange_blocks(dice):
            expected, found = (heads.decoded_by(each, block) for each in decoders)
            if expected != found:
                raise AssertionError(f"seed {seed}, input {count}: {block!r}")
            if expected is None:
                break
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
