"""``otlp-bridge completion``, asked by a real bash."""

import json
import subprocess
from pathlib import Path

import pytest

from bridge.cli.app import dispatch
from bridge.cli.completion import completion_script

Capture = pytest.CaptureFixture[str]

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_otlp_bridge
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash, in a file."""
    path = tmp_path_factory.mktemp("completion") / "otlp-bridge"
    path.write_text(completion_script("bash"))
    return path


def proposals(script: Path, *words: str) -> set[str]:
    """What bash proposes for the last of *words*."""
    command = ["bash", "-c", ASK, "ask", str(script), "otlp-bridge", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["do"], {"doctor"}),
        (["offsets", ""], {"show", "reset"}),
        (["dlq", "s"], {"show", "skip"}),
        (["offsets", "reset", "--to-e"], {"--to-earliest"}),
        (["doctor", "--output", ""], {"text", "json"}),
        (["graph", "--format", ""], {"mermaid", "dot"}),
        # Nothing of its own: bash then proposes files, as `complete -o default` says.
        (["doctor", "--config", ""], set()),
    ],
)
def test_bash_proposes_verbs_options_and_values(
    words: list[str], expected: set[str], script: Path
) -> None:
    """Of every depth."""
    assert proposals(script, *words) == expected


def test_every_verb_is_proposed(script: Path) -> None:
    """None is forgotten, since the script is made from the verbs themselves."""
    from bridge.cli.app import _VERBS

    assert proposals(script, "") == {name for name, _, _ in _VERBS}


def test_files_are_completed_where_nothing_else_is_known(script: Path) -> None:
    """In each shell by its own means."""
    assert "complete -o bashdefault -o default -F _otlp_bridge otlp-bridge" in script.read_text()
    zsh = completion_script("zsh")
    assert zsh.startswith("#compdef otlp-bridge")
    assert ":config:_files'" in zsh
    assert ":c:_files'" in zsh
    assert "-l config -r" in completion_script("fish")


def test_json_says_where_to_put_it(capsys: Capture) -> None:
    """Beside the script itself."""
    assert dispatch(["completion", "bash", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert told["install"].endswith("bash-completion/completions/otlp-bridge")
    assert told["script"].startswith("# Bash completion for otlp-bridge")


def test_unknown_shell_is_wrong_usage(capsys: Capture) -> None:
    """With those there are."""
    assert dispatch(["completion", "ksh"]) == 64
    assert '"fish"' in capsys.readouterr().err
