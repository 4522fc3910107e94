"""What all tests share: the repository's root on the path, so that `tests.<helper>` imports."""

import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options must be known before the folders that use them are collected."""
    parser.addoption("--interop", action="store_true", help="tests against a Collector and h2spec")
