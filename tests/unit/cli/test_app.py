"""The command and its exit codes."""

import json
import subprocess
import sys

import pytest

from bridge import __version__
from bridge.cli.app import dispatch, main
from bridge.cli.exit_codes import exit_code
from bridge.core import BridgeError, ConfigError, Denied, Refused, Unavailable

Capture = pytest.CaptureFixture[str]


def test_main_exits_with_the_code_of_the_verb(good: str, broken: str) -> None:
    """0 if it can be run, 78 if not."""
    codes = []
    for file in (good, broken):
        with pytest.raises(SystemExit) as caught:
            main(["validate", file])
        codes.append(caught.value.code)

    assert codes == [0, 78]


@pytest.mark.parametrize(
    "arguments", [["vlidate"], ["validate"], ["validate", "--output", "xml", "a"], ["graph", "--x"]]
)
def test_wrong_usage_exits_with_64(arguments: list[str], capsys: Capture) -> None:
    """The message goes to standard error, nothing to standard output."""

    assert dispatch(arguments) == 64
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "otlp-bridge: " in printed.err


@pytest.mark.parametrize("option", [["--output", "json"], ["--output=json"]])
def test_wrong_usage_is_json_on_request(option: list[str], capsys: Capture) -> None:
    """Machines get an error that they can read, whatever is wrong."""

    assert dispatch(["validate", *option]) == 64
    data = json.loads(capsys.readouterr().out)
    assert data["ok"] is False
    assert "--config" in data["error"]


def test_version_and_help_exit_with_0(capsys: Capture) -> None:
    """Both are no errors; help lists the verbs."""

    assert (dispatch(["--version"]), dispatch(["--help"])) == (0, 0)
    printed = capsys.readouterr().out
    assert __version__ in printed
    assert all(verb in printed for verb in ("run", "validate", "explain", "components"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError(""), 78),
        (Denied(""), 77),
        (Unavailable(""), 75),
        (Refused(""), 69),
        (BridgeError(""), 69),
    ],
)
def test_exit_code_of_an_error(error: BridgeError, code: int) -> None:
    """As sysexits.h numbers them."""

    assert exit_code(error) == code


def test_reader_that_goes_away_is_no_failure() -> None:
    """``otlp-bridge schema | head -1`` ends quietly."""
    command = f"{sys.executable} -m bridge explain exporters.kafka | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("exporters.kafka", "")


def test_run_imports_no_other_verb() -> None:
    """A sidecar starts with what it needs and nothing else."""
    program = (
        "import sys, bridge.cli.app as app; app.build_app(); import bridge.cli.run;"
        "print(sorted(n for n in sys.modules if n.startswith('bridge.cli.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str(
        [
            "bridge.cli.app",
            "bridge.cli.entry",
            "bridge.cli.exit_codes",
            "bridge.cli.loader",
            "bridge.cli.loading",
            "bridge.cli.output",
            "bridge.cli.plain_run",
            "bridge.cli.run",
            "bridge.cli.starting",
        ]
    )
