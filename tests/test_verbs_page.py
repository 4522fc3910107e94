"""The page of verbs is what the verbs say of themselves."""

import re
from pathlib import Path

from tests.verbs_page import page, verbs

ROOT = Path(__file__).parents[1]


def test_verbs_page_is_up_to_date() -> None:
    """See `verbs_page.py` for how it is made."""
    assert page() == (ROOT / "docs/verbs.md").read_text()


def test_every_verb_tells_its_exit_codes_and_options() -> None:
    """Verbs of verbs as well; the options are those of the function, each with its meaning."""
    sections = dict(re.findall(r"^## ([a-z -]+)\n(.*?)(?=^## |\Z)", page(), re.M | re.S))
    names = {name for name, _ in verbs()}

    assert set(sections) == names
    assert {"run", "doctor", "dlq replay", "offsets reset", "explain-trace"} <= names
    for name, text in sections.items():
        assert "Exit codes" in text, name
        assert "`--output`" in text, name
        assert not re.search(r"^- [^:]+: *$", text, re.MULTILINE), name
