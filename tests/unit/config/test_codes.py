"""The table of codes."""

import re
from pathlib import Path

import bridge.config
from bridge.config import CODES


def test_codes_are_in_order_and_complete() -> None:
    """Each has a meaning and a fix that are sentences."""

    assert list(CODES) == sorted(CODES)
    for name, code in CODES.items():
        assert re.fullmatch(r"BR-[12]\d{3}", name)
        assert code.meaning.endswith(".")
        assert code.fix


def test_codes_are_those_that_the_modules_use() -> None:
    """No code is reported that the table lacks, and none is in the table for nothing."""
    folder = Path(bridge.config.__file__).parent
    used = {
        code
        for file in folder.glob("*.py")
        if file.name != "codes.py"
        for code in re.findall(r"BR-\d{4}", file.read_text())
    }

    assert used == set(CODES)
