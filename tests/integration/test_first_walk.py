"""The walk of ``deploy/README.md``, and what its replay takes for the same."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT, create_subprocess_exec

import pytest

from tests.first_walk import PAGE, ROOT, Step, steps_of


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_first_walk_goes_as_it_is_told() -> None:
    """Every command of the page, in an empty folder and beside a real Kafka."""
    process = await create_subprocess_exec(
        *(sys.executable, str(ROOT / "tests/first_walk.py")), stdout=PIPE, stderr=STDOUT, cwd=ROOT
    )
    try:
        async with asyncio.timeout(580):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert process.returncode == 0, told.decode()


def test_page_has_the_steps_of_a_first_walk() -> None:
    """In the order in which a new user takes them, and ten mistakes of the doctor."""
    commands = [step.command for step in steps_of(PAGE.read_text())]
    verbs = ["init", "validate", "doctor", "run", "send", "lag", "top", "dlq list", "dlq replay"]
    marks = [*(f"otlp-bridge {verb}" for verb in verbs), "kill -HUP"]
    places = [next(i for i, one in enumerate(commands) if one.startswith(mark)) for mark in marks]

    assert places == sorted(places)
    assert len([one for one in commands if one.startswith("doctor ")]) == 10


@pytest.mark.parametrize(
    ("told", "printed", "same"),
    [
        (["ready in 1.2 s"], ["ready in 340 ms"], True),
        (["run 0123456789abcdef: well"], ["run fedcba9876543210: well"], True),
        (["run 0123456789abcdef: well"], ["run fedcba9876543210: not well"], False),
        (["2026-11-28T11:05:24.61Z done"], ["2027-01-01T00:00:00.5Z done"], True),
        (["kafka     4    -"], ["kafka   12   6.1"], True),
        (["first", "...", "last 1"], ["first", "a", "b", "last 2"], True),
        (["first", "...", "last 1"], ["first", "a", "b"], False),
        (["reason: the broker…"], ["reason: the broker is away"], True),
        (["reason: the broker…"], ["reason: the group is away"], False),
        (["0 warnings"], ["0 warnings", "Traceback"], False),
        ([], ["Traceback"], False),
    ],
)
def test_only_what_differs_from_run_to_run_is_let_pass(
    told: list[str], printed: list[str], same: bool
) -> None:
    """Numbers, times, ids and widths; neither another word nor another line."""
    assert Step("x", told).matches(printed) is same


def test_what_is_put_down_keeps_the_elision() -> None:
    """As many lines before and after it as there were."""
    step = Step("x", ["a", "...", "y", "z"])

    assert step.shown(["1", "2", "3", "4", "5"]) == ["1", "...", "4", "5"]
