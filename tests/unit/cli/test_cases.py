"""Files of test cases."""

from pathlib import Path

import pytest

from bridge.cli.cases import read_cases
from bridge.core import ConfigError


def test_read_cases_takes_one_processor_without_a_list(tmp_path: Path) -> None:
    """Most cases have one."""
    file = tmp_path / "a.yaml"
    file.write_text("cases: [{name: a, processors: batch, input: {}, expected: dropped}]")

    (case,) = read_cases(file)

    assert case.processors == ["batch"]


def test_read_cases_says_where_a_case_is_wrong(tmp_path: Path) -> None:
    """The file, the number of the case and the key."""
    file = tmp_path / "a.yaml"
    file.write_text("cases: [{name: a, inputs: {}, expected: dropped}]")

    with pytest.raises(ConfigError, match=r"a\.yaml: cases\.0\.input"):
        read_cases(file)
