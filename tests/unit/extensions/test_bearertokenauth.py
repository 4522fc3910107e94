"""Tokens of senders and exporters."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bridge.core import ConfigError, Denied
from bridge.extensions.bearertokenauth import BearerTokenAuth, BearerTokenAuthConfig
from bridge.testing import make_settings


async def make(**fields: object) -> BearerTokenAuth:
    """A started extension."""
    config = BearerTokenAuthConfig.model_validate(fields)
    made = BearerTokenAuth(config, make_settings("bearertokenauth"))
    await made.start()
    return made


async def test_token_that_fits_lets_in_and_another_does_not() -> None:
    """The text says what to send, and never which token it was."""
    auth = await make(token="s3cret")
    auth.authenticate({"authorization": ("Bearer s3cret",)})
    with pytest.raises(Denied, match=r"wrong token.*Bearer TOKEN") as wrong:
        auth.authenticate({"authorization": ("Bearer other",)})
    with pytest.raises(Denied, match="missing header Authorization"):
        auth.authenticate({})

    assert "s3cret" not in str(wrong.value)
    assert "other" not in str(wrong.value)


async def test_exporter_sends_the_first_token_in_the_header_that_is_set() -> None:
    """Scheme and header are the user's; without a scheme the token stands alone."""
    auth = await make(tokens=["one", "two"], header="X-Key", scheme="")

    assert dict(auth.request_headers()) == {"x-key": "one"}
    auth.authenticate({"x-key": ("two",)})


async def test_tokens_of_a_file_are_taken_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotated token works without a restart; an emptied file changes nothing."""
    monkeypatch.setattr("bridge.extensions._credentials_file.LOOK_EVERY_S", 0.0)
    path = tmp_path / "tokens"
    path.write_text("old\n\n")
    auth = await make(filename=str(path), token="ignored")
    path.write_text("fresh\nolder\n")
    auth.authenticate({"authorization": ("Bearer older",)})
    with pytest.raises(Denied):
        auth.authenticate({"authorization": ("Bearer old",)})
    path.write_text("")

    assert auth.request_headers()["authorization"] == "Bearer fresh"


async def test_file_that_cannot_be_read_ends_the_start(tmp_path: Path) -> None:
    """With the key and the path."""
    with pytest.raises(ConfigError, match=r"extensions\.bearertokenauth\.filename: cannot read .*"):
        await make(filename=str(tmp_path / "absent"))


@pytest.mark.parametrize("fields", [{}, {"token": "a", "tokens": ["b"]}, {"tokens": [" "]}])
def test_config_without_one_source_of_tokens_is_refused(fields: dict[str, object]) -> None:
    """None, two at once, an empty one."""
    with pytest.raises(ValidationError):
        BearerTokenAuthConfig.model_validate(fields)
