"""The section of the admin extension."""

import pytest
from pydantic import ValidationError

from bridge.extensions.admin.options import AdminOptions


def test_default_is_this_machine_only() -> None:
    """Nobody sees anything who is not on it."""
    assert AdminOptions().endpoint == "localhost:13134"


@pytest.mark.parametrize(
    "section", [{"endpoint": "nonsense"}, {"endpoint": "unix:///x"}, {"interval": "1ms"}]
)
def test_nonsense_is_refused(section: dict[str, str]) -> None:
    """No port, a socket, an interval that would keep the process busy."""
    with pytest.raises(ValidationError):
        AdminOptions.model_validate(section)
