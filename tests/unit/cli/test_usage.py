"""`bridge.cli.usage`: what is said of a wrong command line."""

import pytest

from bridge.cli.app import dispatch
from bridge.cli.exit_codes import EXIT_USAGE


@pytest.mark.parametrize(
    ("line", "what", "advice"),
    [
        ("tap", "tap needs STAGE", "try: otlp-bridge tap --help"),
        ("dlq show", "dlq show needs PLACE", "try: otlp-bridge dlq show --help"),
        ("validate", "validate needs --config FILE", "otlp-bridge validate --config bridge.yaml"),
        ("send --count", "--count needs a value", "try: otlp-bridge send --help"),
        ("top a b", "top has no use for b", "try: otlp-bridge top --help"),
        ("tap x --limt 3", "Did you mean --limit?", "try: otlp-bridge tap --help"),
        ("tap x --limit 0", "Must be >= 1", "try: otlp-bridge tap --help"),
        ("valdate", 'Did you mean "validate"?', "try: otlp-bridge --help"),
        ("offsets rest", 'Did you mean "reset"?', "try: otlp-bridge offsets --help"),
    ],
)
def test_wrong_line_is_told_with_what_to_type(
    line: str, what: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the words that one types, and with the help of that very verb."""
    assert dispatch(line.split()) == EXIT_USAGE
    told = capsys.readouterr()

    assert what in told.err
    assert advice in told.err
    assert told.out == ""
