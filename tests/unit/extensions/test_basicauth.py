"""Users and passwords of senders and exporters."""

import base64
from pathlib import Path

import bcrypt
import pytest
from pydantic import ValidationError

from bridge.core import ConfigError, Deadline, Denied
from bridge.extensions import _htpasswd, basicauth
from bridge.extensions.basicauth import BasicAuth, BasicAuthConfig
from bridge.testing import ManualClock, make_settings

HASHED = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()


def header(user: str, password: str) -> dict[str, tuple[str, ...]]:
    """What a sender shows."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": (f"Basic {pair}",)}


async def make(**fields: object) -> BasicAuth:
    """A started extension."""
    config = BasicAuthConfig.model_validate(fields)
    made = BasicAuth(config, make_settings("basicauth", clock=ManualClock()))
    await made.start()
    return made


async def show(auth: BasicAuth, user: str, password: str) -> None:
    """Show credentials and wait for what is said of them."""
    decision = auth.authenticate(header(user, password))
    if decision is not None and (error := await decision) is not None:
        raise error


@pytest.mark.parametrize(
    "hashed",
    [
        HASHED,
        "{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=",
        "$apr1$abcdefgh$bw9gEObk10asetVLiysIZ0",
        "geheim",
    ],
    ids=["bcrypt", "sha", "apr1", "plain"],
)
async def test_each_kind_of_hash_lets_the_password_in_and_no_other(hashed: str) -> None:
    """Bcrypt, SHA-1, APR1 as openssl makes it, and plain text."""
    auth = await make(htpasswd={"inline": f"# users\n\nanna:{hashed}\n"})
    await show(auth, "anna", "geheim")
    for user, password in (("anna", "Geheim"), ("otto", "geheim"), ("", "")):
        with pytest.raises(Denied, match="wrong user or password"):
            await show(auth, user, password)
    await auth.stop(Deadline.after(0, ManualClock()))


@pytest.mark.parametrize("shown", [(), ("Bearer x",), ("Basic !",), ("Basic YQ==",), ("Basic",)])
async def test_header_of_another_form_is_refused_with_the_form(shown: tuple[str, ...]) -> None:
    """Missing, another scheme, no base64, no colon, nothing."""
    auth = await make(htpasswd={"inline": "anna:x"})
    with pytest.raises(Denied, match="send Authorization: Basic"):
        auth.authenticate({"authorization": shown} if shown else {})


async def test_user_that_does_not_exist_takes_a_comparison_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With another one's hash, so that the time does not tell who exists; it never comes in."""
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(basicauth, "fits", lambda *pair: compared.append(pair) or True)
    auth = await make(htpasswd={"inline": f"plain:x\nanna:{HASHED}"})
    with pytest.raises(Denied, match="wrong user or password"):
        await show(auth, "otto", "geheim")

    assert compared == [("geheim", HASHED)]
    await auth.stop(Deadline.after(0, ManualClock()))


async def test_password_without_end_is_refused_unseen() -> None:
    """Hashing it would take the longer."""
    auth = await make(htpasswd={"inline": f"anna:{HASHED}"})
    with pytest.raises(Denied, match="longer than 1024"):
        auth.authenticate(header("anna", "x" * 1025))


async def test_users_of_a_file_are_taken_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was taken out is out."""
    monkeypatch.setattr("bridge.extensions._credentials_file.LOOK_EVERY_S", 0.0)
    path = tmp_path / "htpasswd"
    path.write_text("anna:one\n")
    auth = await make(htpasswd={"file": str(path)})
    auth.authenticate(header("anna", "one"))
    path.write_text("otto:three\n")
    auth.authenticate(header("otto", "three"))
    with pytest.raises(Denied):
        auth.authenticate(header("anna", "one"))


async def test_exporter_sends_its_credentials() -> None:
    """As base64 of user and password."""
    auth = await make(client_auth={"username": "anna", "password": "a:b"})

    assert auth.request_headers() == {"authorization": "Basic YW5uYTphOmI="}


@pytest.mark.parametrize("line", ["anna", ":x", "anna:$1$salt$hash"])
async def test_line_that_is_no_user_is_named_by_number_and_never_shown(line: str) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigError, match=r"basicauth\.htpasswd\.inline: line 2") as caught:
        await make(htpasswd={"inline": f"otto:x\n{line}"})

    assert line not in str(caught.value)


@pytest.mark.parametrize(
    "fields", [{}, {"htpasswd": {}}, {"htpasswd": {"file": "a"}, "client_auth": {"username": "b"}}]
)
def test_config_for_neither_or_both_sides_is_refused(fields: dict[str, object]) -> None:
    """The Collector's rule."""
    with pytest.raises(ValidationError):
        BasicAuthConfig.model_validate(fields)


def test_apr1_of_long_passwords_is_as_openssl_makes_it() -> None:
    """More than one block of the inner digest."""
    made = _htpasswd.apr1(b"a password of more than sixteen bytes", b"saltsalt")

    assert made == "$apr1$saltsalt$kCNsCiO/FRTholLpVNvPi1"
