"""``otlp-bridge send``; what it follows is in tests/integration/test_send.py."""

import pytest

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name --config or --endpoint"),
        (["--endpoint", "localhost:1", "--verify"], "--verify needs a --config"),
        (["--endpoint", "localhost:x"], "no port number"),
        (["--endpoint", "localhost:1", "--timeout", "0s"], "--timeout must be above 0"),
        (["--endpoint", "localhost:1", "--timeout", "3"], "--timeout: '3' is no duration"),
        (["--endpoint", "localhost:1", "--header", "token"], "NAME=VALUE"),
        (["--endpoint", "localhost:1", "--count", "0"], "--count"),
        (["--endpoint", "localhost:1", "--spans", "100000"], "--spans"),
    ],
)
def test_wrong_usage_is_told(words: list[str], told: str, capsys: Capture) -> None:
    """Before anything is sent."""
    assert dispatch(["send", *words]) == 64
    assert told in capsys.readouterr().err


def test_nobody_there_is_one_fault_for_all(capsys: Capture) -> None:
    """With the address, and no table of hops that could not be looked at."""
    assert dispatch(["send", "--endpoint", "127.0.0.1:1", "--count", "2"]) == 75
    told = capsys.readouterr().out

    assert "wrong: 2 refused: cannot connect to 127.0.0.1:1" in told
    assert "partition" not in told
