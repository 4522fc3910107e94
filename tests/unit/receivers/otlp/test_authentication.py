"""Finding who checks the senders."""

import pytest

from bridge.core import ComponentId, ConfigError, Deadline, Metadata
from bridge.receivers.otlp import Authenticator
from bridge.receivers.otlp.authentication import find_authenticator
from bridge.testing import FakeHost, FakeStage


class Open:
    """Lets everyone in."""

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self, deadline: Deadline) -> None:
        """Nothing to do."""

    def authenticate(self, headers: Metadata) -> None:
        """Nothing to say."""


def test_authenticator_is_found_by_its_id() -> None:
    """Type and name, as in the config."""
    extension = Open()
    host = FakeHost(extensions={ComponentId("open", "a"): extension})

    found: Authenticator = find_authenticator(host, "open/a", "receivers.otlp")

    assert found is extension


def test_extension_of_another_kind_is_refused() -> None:
    """With the place in the config."""
    host = FakeHost(extensions={ComponentId("other"): FakeStage()})

    with pytest.raises(ConfigError, match=r"receivers\.otlp: extension other is no authenticator"):
        find_authenticator(host, "other", "receivers.otlp")
