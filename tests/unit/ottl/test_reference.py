"""The page about OTTL says what the code can do."""

from pathlib import Path

from bridge.ottl.functions import FUNCTIONS
from bridge.ottl.reference import page

PAGE = Path(__file__).parents[3] / "docs/ottl.md"


def test_reference_page_is_current() -> None:
    """A function that is new, gone or changed is seen in the page."""

    assert page() == PAGE.read_text()


def test_reference_names_every_function_with_a_summary() -> None:
    """Nobody has to read the code to know what a function does."""

    assert [name for name, found in FUNCTIONS.items() if not found.summary] == []
    assert [name for name in FUNCTIONS if f"`{name}(" not in page()] == []
