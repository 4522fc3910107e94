"""Both ways into the command, as processes of their own: the short one changes the process."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from bridge.cli.entry import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    print(left.code, "cyclopts" in sys.modules)
"""


@pytest.mark.parametrize(
    ("way", "parser"), [(["run", "--config"], False), (["run"], True), (["validate"], True)]
)
def test_only_a_plain_run_goes_without_the_parser(
    way: list[str], parser: bool, broken: str
) -> None:
    """The exit code is the verb's on either way."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *way, broken], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == f"78 {parser}"
