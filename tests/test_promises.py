"""What the documentation says is shown by tests is shown by tests that there are."""

import re
from pathlib import Path

import pytest

from bridge.receivers.otlp.config import OtlpReceiverOptions
from tests.limits_page import GRPC, HTTP, KEEP, LIMITS, OTLP, option, page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
_DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)
_NAMED = re.compile(r"`(test_\w+)`")
_FILE = re.compile(r"`((?:tests|bridge)/[\w./]+)`")
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in _DEFINED.findall(file.read_text())
}


def promises() -> str:
    """The section of the README."""
    return README.partition("## What is promised")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of each row of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_promise_names_its_tests() -> None:
    """A promise without a test is a wish."""
    assert len(rows(promises())) > 8
    for promise, _, shown in rows(promises()):
        assert _NAMED.findall(shown), promise


@pytest.mark.parametrize("text", [promises(), page()], ids=["promises", "limits"])
def test_every_named_test_exists(text: str) -> None:
    """Renaming a test makes this fail."""
    assert [name for name in _NAMED.findall(text) if name not in TESTS] == []


def test_every_file_that_security_names_exists() -> None:
    """What is said to show that a threat is met."""
    named = _FILE.findall(SECURITY)

    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_nothing_is_promised_to_happen_exactly_once() -> None:
    """Kafka's transactions do not reach a backend."""
    for text in (README, SECURITY):
        assert not re.search(r"(?i)exactly[- ]once", text)


def test_limits_page_is_up_to_date() -> None:
    """See `limits_page.py` for how it is made."""
    assert page() == (ROOT / "docs/limits.md").read_text()


def test_every_limit_is_finite_by_default() -> None:
    """None is off, and none is zero but where zero stands for a default."""
    for (component, path), tests in LIMITS.items():
        value = option(component, path)
        assert tests
        assert 0 < value < 1 << 40 or (value == 0 and path.endswith("max_concurrent_streams")), path


def test_every_limit_of_the_receiver_is_on_the_page() -> None:
    """An option that bounds something and is not shown to do so is found here."""
    bounding = re.compile(r"^max_|timeout$|^time$")
    unbounded = {"read_timeout"}  # 0 is the Collector's: body_progress_timeout bounds it.
    protocols = OtlpReceiverOptions.model_fields["protocols"].annotation
    assert protocols is not None
    for path in ("", GRPC, HTTP, KEEP):
        fields = _fields(path)
        known = {name.rpartition(".")[2] for where, name in LIMITS if where == OTLP
                 and name.rpartition(".")[0] == path}  # fmt: skip
        assert {name for name in fields if bounding.search(name)} - unbounded - known == set(), path


def _fields(path: str) -> list[str]:
    model: type = OtlpReceiverOptions
    for section in filter(None, path.split(".")):
        annotation = model.model_fields[section].annotation  # type: ignore[attr-defined]  # a model
        parts = getattr(annotation, "__args__", (annotation,))
        model = next(part for part in parts if hasattr(part, "model_fields"))
    return list(model.model_fields)  # type: ignore[attr-defined]  # a model
