"""
The `bearertokenauth` extension: a token that senders must show, or that exporters send.

Fields and meaning are the Collector's.
"""

import hmac
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
from bridge.options import Options


class BearerTokenAuthConfig(Options):
    """The Collector's ``bearertokenauth`` section: one of `token`, `tokens` and `filename`."""

    scheme: str = "Bearer"
    """Word before the token; empty if the header holds the token alone."""

    header: str = Field(default="Authorization", min_length=1)
    """The header that carries the token."""

    token: SecretStr = SecretStr("")
    """The token."""

    tokens: list[SecretStr] = Field(default=[], max_length=1000)
    """Several tokens, each of which lets a sender in; exporters send the first."""

    filename: str = ""
    """File with a token on each line; looked at every second. It goes before the other two."""

    @model_validator(mode="after")
    def _token_given(self) -> Self:
        token = self.token.get_secret_value()
        if not self.filename and not token and not self.tokens:
            raise ValueError("no token: set token, tokens or filename")
        if token and self.tokens:
            raise ValueError("either token or tokens, not both")
        if any(not one.get_secret_value().strip() for one in self.tokens):
            raise ValueError("a token in tokens is empty")
        return self


class BearerTokenAuth:
    """Compares tokens for receivers, and gives one to exporters."""

    def __init__(self, config: BearerTokenAuthConfig, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._header = config.header.lower()
        self.challenge = config.scheme or "Bearer"
        given = [one.get_secret_value() for one in (config.token, *config.tokens)]
        self._given = self._to_values([token for token in given if token])
        self._file: CredentialsFile[tuple[str, ...]] | None = None

    async def start(self) -> None:
        """
        Read the file, if there is one.

        Raises:
            ConfigError: If it cannot be read or holds no token.
        """
        if self._config.filename:
            where = f"extensions.{self._settings.id}.filename"
            self._file = CredentialsFile(self._config.filename, self._parse, where)
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Nothing is held."""
        del deadline

    def authenticate(self, headers: Metadata) -> None:
        """
        Let in who shows one of the tokens. Takes the same time for each wrong token.

        Raises:
            Denied: If the header is missing or no token fits; its text names no token.
        """
        shown = headers.get(self._header, ())
        if not shown:
            raise Denied(f"missing header {self._config.header}: {self._hint()}")
        text = shown[0].encode("utf-8", "replace")
        fits = False
        for value in self._values():
            fits |= hmac.compare_digest(value.encode(), text)
        if not fits:
            raise Denied(f"wrong token in header {self._config.header}: {self._hint()}")

    def request_headers(self) -> Mapping[str, str]:
        """The header with the first token."""
        return {self._header: self._values()[0]}

    def _values(self) -> tuple[str, ...]:
        return self._file.value() if self._file is not None else self._given

    def _hint(self) -> str:
        scheme = f"{self._config.scheme} " if self._config.scheme else ""
        return f"send {self._config.header}: {scheme}TOKEN"

    def _parse(self, text: str) -> tuple[str, ...]:
        tokens = [line.strip() for line in text.splitlines() if line.strip()]
        if not tokens:
            where = f"extensions.{self._settings.id}.filename"
            raise ConfigError(f"{where}: {self._config.filename} holds no token")
        return self._to_values(tokens)

    def _to_values(self, tokens: list[str]) -> tuple[str, ...]:
        scheme = f"{self._config.scheme} " if self._config.scheme else ""
        return tuple(scheme + token for token in tokens)


FACTORY = ExtensionFactory(
    type_name="bearertokenauth",
    config=BearerTokenAuthConfig,
    create=BearerTokenAuth,
    stability=Stability.BETA,
)
