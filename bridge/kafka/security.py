"""Who we are to the brokers: the ``auth`` section and what it becomes for the Kafka client."""

import asyncio
import shlex
import ssl
from pathlib import Path
from typing import Any, Literal

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import AuthenticationFailedError
from pydantic import SecretStr, model_validator

from bridge.core import ConfigError
from bridge.options import Duration, Options

Mechanism = Literal[
    "PLAIN",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
    "OAUTHBEARER",
    "AWS_MSK_IAM_OAUTHBEARER",
]

_TOKEN_BYTES_MAX = 64 * 1024  # A JWT has a few KiB; more is a mistaken path.
_STDERR_SHOWN_CHARS = 200


class AwsMsk(Options):
    """What signing for Amazon MSK needs beside the credentials that the machine already has."""

    region: str = ""
    """AWS region of the cluster, such as eu-central-1."""


class OAuthBearer(Options):
    """Where the bearer token of mechanism OAUTHBEARER comes from: one of the two."""

    token_file: Path | None = None
    """File that holds the token; read again for each connection, so that it can be rotated."""

    token_command: str = ""
    """Command that prints the token; run for each connection, without a shell."""

    timeout: Duration = 10.0
    """Seconds that the command may take."""

    @model_validator(mode="after")
    def _one_source(self) -> "OAuthBearer":
        if (self.token_file is None) == (not self.token_command):
            raise ValueError("set exactly one of token_file and token_command")
        return self


class Sasl(Options):
    """Authentication by SASL."""

    mechanism: Mechanism
    """How to authenticate; the broker must have it enabled on this listener."""

    username: str = ""
    """User name for PLAIN and SCRAM."""

    password: SecretStr = SecretStr("")
    """Password for PLAIN and SCRAM."""

    aws_msk: AwsMsk = AwsMsk()
    """Region for AWS_MSK_IAM_OAUTHBEARER."""

    oauthbearer: OAuthBearer | None = None
    """Source of the token for OAUTHBEARER."""

    oauthbearer_token_source: str = ""
    """The Collector's reference to a token extension; refused: use ``oauthbearer``."""

    @model_validator(mode="after")
    def _complete(self) -> "Sasl":
        if self.oauthbearer_token_source:
            raise ValueError(
                "oauthbearer_token_source is not supported: set oauthbearer.token_file or "
                "oauthbearer.token_command instead"
            )
        if self.mechanism == "OAUTHBEARER":
            if self.oauthbearer is None:
                raise ValueError(
                    "mechanism OAUTHBEARER needs oauthbearer.token_file or "
                    "oauthbearer.token_command"
                )
        elif self.mechanism == "AWS_MSK_IAM_OAUTHBEARER":
            if not self.aws_msk.region:
                raise ValueError("mechanism AWS_MSK_IAM_OAUTHBEARER needs aws_msk.region")
        elif not self.username or not self.password.get_secret_value():
            raise ValueError(f"mechanism {self.mechanism} needs username and password")
        return self

    @property
    def principal(self) -> str:
        """How ACLs name us, as far as the configuration tells."""
        return f"User:{self.username}" if self.username else ""


class PlainText(Options):
    """The Collector's older spelling of SASL PLAIN."""

    username: str
    """User name."""

    password: SecretStr
    """Password."""


class Auth(Options):
    """How to authenticate to the brokers; nothing for listeners without authentication."""

    sasl: Sasl | None = None
    """SASL mechanism and its credentials."""

    plain_text: PlainText | None = None
    """Older spelling of ``sasl`` with mechanism PLAIN."""

    kerberos: dict[str, Any] | None = None
    """The Collector's Kerberos section; refused, since GSSAPI is not supported."""

    @model_validator(mode="after")
    def _supported(self) -> "Auth":
        if self.kerberos is not None:
            raise ValueError(
                "kerberos is not supported: use sasl with SCRAM-SHA-512, OAUTHBEARER or TLS "
                "client certificates"
            )
        if self.sasl is not None and self.plain_text is not None:
            raise ValueError("sasl and plain_text exclude each other: plain_text is deprecated")
        return self

    def effective_sasl(self) -> Sasl | None:
        """The SASL section, whichever spelling it has."""
        if self.plain_text is not None:
            return Sasl(
                mechanism="PLAIN",
                username=self.plain_text.username,
                password=self.plain_text.password,
            )
        return self.sasl


class TokenUnavailable(AuthenticationFailedError):  # type: ignore[misc]  # aiokafka is not annotated
    """
    No token could be got. A `KafkaError`, since only those leave aiokafka's tasks alive.

    The text names the file or command and never holds the token.
    """


class FileToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is not annotated
    """The token in a file, read for each connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """
        Read the token.

        Raises:
            TokenUnavailable: If the file cannot be read or is empty; names it.
        """
        try:
            text = await asyncio.to_thread(self._read)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise TokenUnavailable(
                f"the OAUTHBEARER token file {self._path} cannot be read: {reason}"
            ) from error
        if not text:
            raise TokenUnavailable(f"the OAUTHBEARER token file {self._path} is empty")
        return text

    def _read(self) -> str:
        with self._path.open("rb") as file:
            return file.read(_TOKEN_BYTES_MAX).decode("ascii").strip()


class CommandToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is not annotated
    """The token that a command prints, run for each connection."""

    def __init__(self, command: str, timeout_s: float) -> None:
        self._argv = shlex.split(command)
        self._timeout_s = timeout_s

    async def token(self) -> str:
        """
        Run the command and return its output without surrounding blanks.

        Raises:
            TokenUnavailable: If it cannot be run, fails, is too slow or prints nothing.

        Cancellation:
            The process is killed.
        """
        name = self._argv[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise TokenUnavailable(
                f"the OAUTHBEARER token command {name!r} cannot be run: {error.strerror}"
            ) from error
        try:
            async with asyncio.timeout(self._timeout_s):
                out, problem = await process.communicate()
        except TimeoutError as error:
            raise TokenUnavailable(
                f"the OAUTHBEARER token command {name!r} took longer than {self._timeout_s:g} s"
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            shown = problem.decode("utf-8", "replace").strip()[:_STDERR_SHOWN_CHARS]
            raise TokenUnavailable(
                f"the OAUTHBEARER token command {name!r} ended with {process.returncode}: {shown}"
            )
        token = out[:_TOKEN_BYTES_MAX].decode("ascii", "replace").strip()
        if not token:
            raise TokenUnavailable(f"the OAUTHBEARER token command {name!r} printed nothing")
        return token


class MskToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is not annotated
    """
    A token signed with the AWS credentials of the machine.

    Raises:
        ConfigError: If the signer library is not installed.
    """

    def __init__(self, region: str) -> None:
        try:
            from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
        except ImportError as error:
            raise ConfigError(
                "mechanism AWS_MSK_IAM_OAUTHBEARER needs the signer library: "
                "pip install 'otlp-kafka-bridge[msk]'"
            ) from error
        self._region = region
        self._provider = MSKAuthTokenProvider

    async def token(self) -> str:
        """
        Sign a token; off the loop, since it may ask the instance's metadata service.

        Raises:
            TokenUnavailable: If the machine has no usable AWS credentials.
        """
        try:
            token, _ = await asyncio.to_thread(self._provider.generate_auth_token, self._region)
        except Exception as error:
            raise TokenUnavailable(
                f"no token could be signed for Amazon MSK in {self._region}: "
                f"{type(error).__name__}; check the AWS credentials of this process"
            ) from error
        return str(token)


def sasl_kwargs(sasl: Sasl | None) -> dict[str, Any]:
    """
    The SASL arguments of an aiokafka client; empty without SASL.

    Raises:
        ConfigError: If the mechanism needs a library that is missing.
    """
    if sasl is None:
        return {}
    if sasl.mechanism == "OAUTHBEARER":
        assert sasl.oauthbearer is not None  # noqa: S101 - the model's validator checked it
        provider: AbstractTokenProvider
        if sasl.oauthbearer.token_file is not None:
            provider = FileToken(sasl.oauthbearer.token_file)
        else:
            provider = CommandToken(sasl.oauthbearer.token_command, sasl.oauthbearer.timeout)
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": provider}
    if sasl.mechanism == "AWS_MSK_IAM_OAUTHBEARER":
        return {
            "sasl_mechanism": "OAUTHBEARER",
            "sasl_oauth_token_provider": MskToken(sasl.aws_msk.region),
        }
    return {
        "sasl_mechanism": sasl.mechanism,
        "sasl_plain_username": sasl.username,
        "sasl_plain_password": sasl.password.get_secret_value(),
    }


def default_context(sasl: Sasl | None) -> ssl.SSLContext | None:
    """The TLS context where ``tls`` is absent: MSK's IAM listeners speak nothing else."""
    if sasl is not None and sasl.mechanism == "AWS_MSK_IAM_OAUTHBEARER":
        return ssl.create_default_context()
    return None
