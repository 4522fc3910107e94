"""The short way into ``run`` and the long one read a command line alike."""

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.cli import app, run
from bridge.cli.plain_run import RunArguments, parse_plain_run

WORDS = st.sampled_from(
    [
        *("--config", "-c", "--set", "--workers", "--ready-file", "--shutdown-timeout", "--output"),
        *("--config=a.yaml", "--set=x.y=1", "--workers=3", "--output=json", "-c=a.yaml"),
        *("--outputs", "-x", "--help", "--version", "-1", "2", "0", "257", "+2", "٣", "é", ""),
        *("a.yaml", "yaml:a=b", "json", "text", "5s"),
    ]
)


def _by_the_long_way(words: list[str]) -> RunArguments | None:
    """What the parser of all verbs makes of *words*; `None` if it refuses them."""
    taken: list[RunArguments] = []

    def start(arguments: RunArguments) -> int:
        taken.append(arguments)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "start", start)
        app.dispatch(words)
    return taken[0] if taken else None


@pytest.mark.parametrize(
    "line",
    [
        "run --config a.yaml",
        "run -c a.yaml -c b.yaml --set x=1 --set y.z=a=b",
        "run --config=a.yaml --workers 4 --ready-file /tmp/r --shutdown-timeout=1m --output json",
    ],
)
def test_plain_run_is_read_as_the_long_way_reads_it(line: str) -> None:
    """What unit files and manifests hold goes the short way."""
    plain = parse_plain_run(line.split())

    assert plain is not None
    assert asdict(plain) == asdict(_by_the_long_way(line.split()) or RunArguments())


@settings(max_examples=50, deadline=None)
@given(st.lists(WORDS, max_size=6))
def test_whatever_goes_the_short_way_means_the_same(words: list[str]) -> None:
    """For any words: either the long way is taken, or both agree."""
    plain = parse_plain_run(["run", *words])
    if plain is not None:
        assert plain == _by_the_long_way(["run", *words])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "validate --config a.yaml",
        "run",
        "run a.yaml",
        "run --config",
        "run --config a.yaml --workers 0",
        "run --config a.yaml --workers 257",
        "run --config a.yaml --output xml",
        "run --config a.yaml --output text --output json",
        "run --config a.yaml --help",
        "run --config a.yaml extra",
        "run --config --set",
        "run --workers 2",
    ],
)
def test_anything_else_is_left_to_the_parser_of_all_verbs(line: str) -> None:
    """It explains what is wrong and knows the rest."""

    assert parse_plain_run(line.split()) is None


def test_ready_file_is_a_path() -> None:
    """As the long way makes it."""
    plain = parse_plain_run(["run", "-c", "a", "--ready-file", "r.json"])

    assert plain is not None
    assert plain.ready_file == Path("r.json")
