"""
The `basicauth` extension: users and passwords that senders must show, or that exporters send.

Fields and meaning are the Collector's.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Self

from pydantic import Field, SecretStr, model_validator

from bridge.core import (
    ConfigError,
    Deadline,
    Denied,
    ExtensionFactory,
    Metadata,
    Settings,
    Stability,
    State,
    Status,
)
from bridge.extensions._credentials_file import CredentialsFile
from bridge.extensions._htpasswd import fits, is_slow, parse_htpasswd
from bridge.extensions._slow_checks import HINT, Decision, SlowChecks, denied
from bridge.options import Options

PASSWORD_CHARS_MAX = 1024
"""Longer ones are refused unseen: hashing takes longer the longer they are."""


class Htpasswd(Options):
    """``htpasswd``: who may send."""

    file: str = ""
    """File that ``htpasswd -B`` made; looked at every second."""

    inline: SecretStr = SecretStr("")
    """Lines of such a file; they go before those of `file`."""


class ClientAuth(Options):
    """``client_auth``: what an exporter sends."""

    username: str = Field(min_length=1, pattern="^[^:]+$")
    """The user; a colon cannot be part of it."""

    password: SecretStr = SecretStr("")
    """Its password."""


class BasicAuthConfig(Options):
    """The Collector's ``basicauth`` section: one of `htpasswd` and `client_auth`."""

    htpasswd: Htpasswd | None = None
    """For receivers."""

    client_auth: ClientAuth | None = None
    """For exporters."""

    slow_checks_per_s: int = Field(default=5, ge=1)
    """
    Comparisons with a bcrypt or APR1 hash in a second, for each user, and for all users together
    that do not exist; beyond it, senders that were not seen before are told to come again
    (UNAVAILABLE, 503), so that none loses data. One with bcrypt at cost 10 takes 72 ms of a thread
    of its own. The Collector: no limit.
    """

    remembered: int = Field(default=1000, ge=1)
    """Good credentials, and as many bad ones, that are remembered, as hashes."""

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.htpasswd is None) == (self.client_auth is None):
            raise ValueError("set either htpasswd (for receivers) or client_auth (for exporters)")
        users = self.htpasswd
        if users is not None and not users.file and not users.inline.get_secret_value():
            raise ValueError("htpasswd needs file or inline")
        return self


class BasicAuth:
    """Checks users for receivers, or gives credentials to exporters."""

    challenge = 'Basic realm="otlp", charset="UTF-8"'
    """What HTTP senders without credentials are told to show."""

    def __init__(self, config: BasicAuthConfig, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._inline: dict[str, str] = {}
        self._file: CredentialsFile[dict[str, str]] | None = None
        self._slow = SlowChecks(
            fits, settings.clock, per_s=config.slow_checks_per_s, remembered=config.remembered
        )

    async def start(self) -> None:
        """
        Read the users.

        Raises:
            ConfigError: If a file cannot be read, or a line is no user with a hash that we know.
        """
        users = self._config.htpasswd
        where = f"extensions.{self._settings.id}.htpasswd"
        if users is not None:
            self._inline = _parse(users.inline.get_secret_value(), f"{where}.inline")
            if users.file:
                self._file = CredentialsFile(
                    users.file, lambda text: _parse(text, f"{where}.file"), f"{where}.file"
                )
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Compare nothing any more."""
        del deadline
        self._slow.stop()

    def authenticate(self, headers: Metadata) -> Decision | None:
        """
        Let in who shows a user and its password.

        A user that does not exist is compared with another one's hash, so that it takes as long.

        Returns:
            `None` if the sender may send; a future that says so where that takes a slow comparison.

        Raises:
            Denied: If the header is missing or wrong.
            Overloaded: If too many senders that were not seen before come at once.
        """
        if self._config.htpasswd is None:
            raise Denied("this basicauth extension has no htpasswd: nobody may send")
        user, password = _credentials(headers.get("authorization", ()))
        known = self._file.value() if self._file is not None else {}
        hashed = self._inline.get(user, known.get(user))
        exists = hashed is not None
        compared = _slowest({**known, **self._inline}) if hashed is None else hashed
        if compared is None:
            raise denied()
        if is_slow(compared):
            return self._slow.check(user, password, compared, exists=exists)
        if not fits(password, compared) or not exists:
            raise denied()
        return None

    def request_headers(self) -> Mapping[str, str]:
        """
        The header with the credentials.

        Raises:
            Denied: If there is no ``client_auth``.
        """
        client = self._config.client_auth
        if client is None:
            raise Denied("this basicauth extension has no client_auth")
        pair = f"{client.username}:{client.password.get_secret_value()}"
        return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _slowest(users: Mapping[str, str]) -> str | None:
    """A hash that takes long to compare with, if there is any; otherwise any."""
    return next(filter(is_slow, users.values()), next(iter(users.values()), None))


def _parse(text: str, where: str) -> dict[str, str]:
    try:
        return parse_htpasswd(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _credentials(shown: tuple[str, ...]) -> tuple[str, str]:
    if not shown:
        raise Denied(f"missing header Authorization: {HINT}")
    scheme, _, encoded = shown[0].partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, binascii.Error) as error:
        raise Denied(f"the header Authorization is not of this form: {HINT}") from error
    if len(password) > PASSWORD_CHARS_MAX:
        raise Denied(f"the password is longer than {PASSWORD_CHARS_MAX} characters")
    if not colon:
        raise Denied(f"the header Authorization is not of this form: {HINT}")
    return user, password


FACTORY = ExtensionFactory(
    type_name="basicauth",
    config=BasicAuthConfig,
    create=BasicAuth,
    stability=Stability.BETA,
)
