"""Credentials: complete, never shown, and read anew for each connection."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from bridge.core import ConfigError
from bridge.kafka import ClientConfig, connection_kwargs
from bridge.kafka.security import Auth, CommandToken, FileToken, Sasl, TokenUnavailable

SECRET = "canary-5f1d"


@pytest.mark.parametrize(
    "section",
    [
        {"sasl": {"mechanism": "PLAIN", "username": "u"}},
        {"sasl": {"mechanism": "SCRAM-SHA-256", "password": SECRET}},
        {"sasl": {"mechanism": "OAUTHBEARER"}},
        {"sasl": {"mechanism": "OAUTHBEARER", "oauthbearer": {}}},
        {"sasl": {"mechanism": "OAUTHBEARER", "oauthbearer_token_source": "oauth2client"}},
        {"sasl": {"mechanism": "AWS_MSK_IAM_OAUTHBEARER"}},
        {"sasl": {"mechanism": "GSSAPI", "username": "u", "password": SECRET}},
        {"kerberos": {"realm": "X"}},
        {
            "sasl": {"mechanism": "PLAIN", "username": "u", "password": SECRET},
            "plain_text": {"username": "u", "password": SECRET},
        },
    ],
)
def test_incomplete_credentials_are_refused_without_showing_them(
    section: dict[str, object],
) -> None:
    """The message says what is missing and never the secret."""
    with pytest.raises(ValidationError) as caught:
        Auth.model_validate(section)

    assert SECRET not in str(caught.value)


def test_secret_is_not_in_any_representation() -> None:
    """Neither printing nor dumping the configuration shows the password."""
    sasl = {"mechanism": "SCRAM-SHA-512", "username": "u", "password": SECRET}
    config = ClientConfig.model_validate({"auth": {"sasl": sasl}})

    assert SECRET not in repr(config)
    assert SECRET not in str(config.model_dump())
    assert SECRET not in config.model_dump_json()
    assert connection_kwargs(config)["sasl_plain_password"] == SECRET


def test_older_plain_text_is_sasl_plain() -> None:
    """The Collector's deprecated spelling still works."""
    auth = Auth.model_validate({"plain_text": {"username": "u", "password": "p"}})
    sasl = auth.effective_sasl()

    assert sasl is not None
    assert sasl.mechanism == "PLAIN"


async def test_token_file_is_read_for_each_connection(tmp_path: Path) -> None:
    """A rotated token is used without a restart."""
    path = tmp_path / "token"
    path.write_text("first\n")
    provider = FileToken(path)

    assert await provider.token() == "first"
    path.write_text("second")
    assert await provider.token() == "second"


async def test_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing and empty files: the message has the path."""
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.touch()
    for path in (missing, empty):
        with pytest.raises(TokenUnavailable, match=path.name):
            await FileToken(path).token()


async def test_token_command_gives_its_output() -> None:
    """Standard output without surrounding blanks."""
    provider = CommandToken(f"{sys.executable} -c \"print(' abc ')\"", 10.0)

    assert await provider.token() == "abc"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/nowhere/to/be/found", "cannot be run"),
        (f"{sys.executable} -c \"import sys; sys.exit('no ticket')\"", "no ticket"),
        (f"{sys.executable} -c pass", "printed nothing"),
        (f'{sys.executable} -c "import time; time.sleep(60)"', "longer than"),
    ],
)
async def test_token_command_that_fails_says_why(command: str, reason: str) -> None:
    """Absent, failing, silent or slow commands; the process is ended."""
    timeout_s = 0.2 if reason == "longer than" else 20.0
    with pytest.raises(TokenUnavailable, match=reason):
        await CommandToken(command, timeout_s).token()


def test_msk_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signer is optional."""
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    sasl = Sasl.model_validate(
        {"mechanism": "AWS_MSK_IAM_OAUTHBEARER", "aws_msk": {"region": "eu-central-1"}}
    )
    with pytest.raises(ConfigError, match=r"otlp-kafka-bridge\[msk\]"):
        connection_kwargs(ClientConfig(auth=Auth(sasl=sasl)))
