"""Whatever the bytes, nothing but the errors that are promised comes out: see `targets.py`."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent / "found"
CASES = sorted(FOUND.glob("*-*"))
slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_found_case_stays_mended(case: Path) -> None:
    """What a run of ``make fuzz`` found once."""
    TARGETS[case.name.rpartition("-")[0].rpartition("-")[0]].look(case.read_bytes())


def test_every_target_can_be_run() -> None:
    """`run.py` knows what code belongs to each."""
    text = (FOUND.parent / "run.py").read_text()

    assert [name for name in TARGETS if f'"{name}": [' not in text] == []


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_what_they_are_meant_to_be(name: str) -> None:
    """The inputs that all others are made from pass."""
    seeds = TARGETS[name].seeds()

    assert seeds
    for seed in seeds:
        TARGETS[name].look(seed)


@pytest.mark.parametrize("name", TARGETS)
@slow
@given(data=st.data())
def test_damaged_seeds_raise_nothing_unforeseen(name: str, data: st.DataObject) -> None:
    """Bytes cut, set, inserted, repeated, and words of the language put in."""
    target = TARGETS[name]
    text = bytearray(data.draw(st.sampled_from(target.seeds())))
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(dice.randint(1, 6)):
        at = dice.randint(0, len(text))
        roll = dice.randint(0, 4)
        if roll == 0:
            del text[at : at + dice.randint(1, 8)]
        elif roll == 1 and at < len(text):
            text[at] = dice.randint(0, 255)
        elif roll == 2:
            text[at:at] = dice.randbytes(dice.randint(1, 5))
        elif roll == 3:
            text[at:at] = text[at : at + dice.randint(1, 30)]
        elif target.words:
            text[at:at] = dice.choice(target.words)
    target.look(bytes(text))


@pytest.mark.parametrize("name", TARGETS)
@slow
@given(text=st.binary(max_size=100))
def test_any_bytes_raise_nothing_unforeseen(name: str, text: bytes) -> None:
    """Those that have nothing to do with it, too."""
    TARGETS[name].look(text)
