"""
TLS as the Collector spells it, for clients and for servers, with certificates that may change.

Each context looks at its files when a connection begins and takes what changed, so a rotated
certificate needs no restart; files that cannot be used are reported and the old ones stay.
"""

import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import structlog
from pydantic import Field, SecretStr, field_validator, model_validator

from bridge.core import ConfigError
from bridge.options.base import Options
from bridge.options.duration import Duration
from bridge.options.tls_ciphers import openssl_ciphers
from bridge.options.tls_files import Fingerprint, Pem, fingerprint, identify, read_pem, trust

log = structlog.get_logger()

TlsVersion = Literal["1.0", "1.1", "1.2", "1.3"]

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


class _Tls(Options):
    """What clients and servers have in common."""

    ca_file: str = ""
    """PEM file with the authorities that the other side's certificate must come from."""

    ca_pem: SecretStr = SecretStr("")
    """The same as text instead of a file."""

    include_system_ca_certs_pool: bool = False
    """Trust the system's authorities besides `ca_file`; without `ca_file` they always are."""

    cert_file: str = ""
    """PEM file with our certificate and its chain, leaf first."""

    cert_pem: SecretStr = SecretStr("")
    """The same as text instead of a file."""

    key_file: str = ""
    """PEM file with the private key of `cert_file`, without a passphrase."""

    key_pem: SecretStr = SecretStr("")
    """The same as text instead of a file."""

    min_version: TlsVersion = "1.2"
    """Oldest TLS version that is spoken."""

    max_version: TlsVersion | Literal[""] = ""
    """Newest TLS version that is spoken; empty for whatever both sides know."""

    cipher_suites: tuple[str, ...] = ()
    """Cipher suites for TLS 1.2 and older, by their IANA names; empty for OpenSSL's safe choice."""

    curve_preferences: tuple[str, ...] = ()
    """Not supported: Python cannot choose more than one curve; must be empty."""

    reload_interval: Duration = 0.0
    """
    Changed files are looked for at most this often (seconds), when a connection begins. 0 looks
    each time: three `stat` calls, so there is no reason to wait.
    """

    @field_validator("cipher_suites")
    @classmethod
    def _known_ciphers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        openssl_ciphers(names)
        return names

    @field_validator("curve_preferences")
    @classmethod
    def _no_curves(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if names:
            raise ValueError("not supported here: remove curve_preferences")
        return names

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for stem in ("ca", "cert", "key"):
            if getattr(self, f"{stem}_file") and getattr(self, f"{stem}_pem").get_secret_value():
                raise ValueError(f"give either {stem}_file or {stem}_pem, not both")
        has_cert = bool(self.cert_file or self.cert_pem.get_secret_value())
        if has_cert != bool(self.key_file or self.key_pem.get_secret_value()):
            missing = "key_file" if has_cert else "cert_file"
            raise ValueError(f"a certificate and its private key go together: {missing} is missing")
        if self.max_version and float(self.max_version) < float(self.min_version):
            raise ValueError(
                f"max_version {self.max_version} is below min_version {self.min_version}"
            )
        return self

    def _paths(self) -> tuple[str, ...]:
        return tuple(path for path in (self.ca_file, self.cert_file, self.key_file) if path)

    def _pem(self, stem: str) -> Pem | None:
        path, text = getattr(self, f"{stem}_file"), getattr(self, f"{stem}_pem").get_secret_value()
        if path:
            return read_pem(path, f"tls.{stem}_file")
        return Pem(f"tls.{stem}_pem", text.encode()) if text else None

    def _limit(self, context: ssl.SSLContext, alpn: Sequence[str]) -> None:
        context.minimum_version = _VERSIONS[self.min_version]
        if self.max_version:
            context.maximum_version = _VERSIONS[self.max_version]
        if self.cipher_suites:
            context.set_ciphers(openssl_ciphers(self.cipher_suites))
        if alpn:
            context.set_alpn_protocols(list(alpn))

    def _identify(self, context: ssl.SSLContext) -> None:
        certificate, key = self._pem("cert"), self._pem("key")
        if certificate is not None and key is not None:
            identify(context, certificate, key)


class TlsClient(_Tls):
    """TLS towards a server: the Collector's client block."""

    insecure: bool = False
    """Speak plain text. Ignored when `ca_file` or `ca_pem` is set, as in the Collector."""

    insecure_skip_verify: bool = False
    """Accept any certificate. Encrypts, but does not know with whom it speaks."""

    server_name_override: str = ""
    """Name to ask for (SNI) and to expect in the certificate, instead of the endpoint's host."""

    @property
    def plaintext(self) -> bool:
        """Whether no TLS is spoken at all."""
        return self.insecure and not self.ca_file and not self.ca_pem.get_secret_value()

    def context(self, alpn: Sequence[str] = ()) -> ssl.SSLContext | None:
        """
        Build what a client connects with.

        Returns:
            A context that takes changed files by itself and asks for `server_name_override`;
            `None` for plain text.

        Raises:
            ConfigError: If a file is missing, unreadable, no PEM or expired, or key and certificate
                do not match.
        """
        if self.plaintext:
            return None
        return _Reloading.around(
            lambda: self._build(alpn),
            self._paths(),
            self.reload_interval,
            self.server_name_override,
        )

    def _build(self, alpn: Sequence[str]) -> ssl.SSLContext:
        authorities = self._pem("ca")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if authorities is not None:
            trust(context, authorities)
        if authorities is None or self.include_system_ca_certs_pool:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._limit(context, alpn)
        self._identify(context)
        return context


class TlsServer(_Tls):
    """TLS for a listener: the Collector's server block."""

    client_ca_file: str = ""
    """PEM file with authorities; when set, clients must show a certificate from one of them."""

    client_ca_file_reload: bool = Field(default=True)
    """Accepted for compatibility: `client_ca_file` is always looked at, as the other files are."""

    @model_validator(mode="after")
    def _has_identity(self) -> Self:
        if not self.cert_file and not self.cert_pem.get_secret_value():
            raise ValueError("a TLS listener needs cert_file and key_file")
        return self

    def context(self, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """
        Build what a listener accepts with.

        Returns:
            A context that takes changed files by itself; connections that exist keep theirs.

        Raises:
            ConfigError: If a file is missing, unreadable, no PEM or expired, or key and certificate
                do not match.
        """
        paths = (*self._paths(), self.client_ca_file) if self.client_ca_file else self._paths()
        return _Reloading.around(lambda: self._build(alpn), paths, self.reload_interval)

    def _build(self, alpn: Sequence[str]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.client_ca_file:
            trust(context, read_pem(self.client_ca_file, "tls.client_ca_file"))
            context.verify_mode = ssl.CERT_REQUIRED
        self._limit(context, alpn)
        self._identify(context)
        return context


class _Reloading(ssl.SSLContext):
    """
    A context that stands for the newest usable one.

    Event loops make the TLS object of each connection with `wrap_bio`: that is the moment to look
    at the files, and the only one at which a change can take effect.
    """

    _build: Callable[[], ssl.SSLContext]
    _paths: tuple[str, ...]
    _interval_s: float
    _server_name: str
    # What changes: the context in use, what its files looked like, and when they were looked at.
    _current: ssl.SSLContext
    _seen: Fingerprint
    _looked_at_s: float

    @classmethod
    def around(
        cls,
        build: Callable[[], ssl.SSLContext],
        paths: tuple[str, ...],
        interval_s: float,
        server_name: str = "",
    ) -> "_Reloading":
        """Build once, so that a start with wrong files fails, and again when *paths* change."""
        # The fingerprint comes first: a change while we read is then seen the next time.
        seen = fingerprint(paths)
        current = build()
        self = cls(current.protocol)
        self.check_hostname = current.check_hostname
        self.verify_mode = current.verify_mode
        self._build, self._paths, self._interval_s = build, paths, interval_s
        self._server_name = server_name
        self._current, self._seen, self._looked_at_s = current, seen, time.monotonic()
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were read, for messages."""
        return self._paths

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Make the TLS object of a new connection from the newest usable files."""
        if self._server_name and not kwargs.get("server_side"):
            kwargs["server_hostname"] = self._server_name
        return self._newest().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """The same for blocking sockets."""
        if self._server_name and not kwargs.get("server_side"):
            kwargs["server_hostname"] = self._server_name
        return self._newest().wrap_socket(*args, **kwargs)

    def _newest(self) -> ssl.SSLContext:
        now_s = time.monotonic()
        if not self._paths or now_s - self._looked_at_s < self._interval_s:
            return self._current
        self._looked_at_s = now_s
        seen = fingerprint(self._paths)
        if seen != self._seen:
            self._seen = seen
            try:
                self._current = self._build()
            except (ConfigError, OSError, ssl.SSLError) as error:
                log.warning("tls_reload_failed", paths=self._paths, error=str(error))
            else:
                log.info("tls_reloaded", paths=self._paths)
        return self._current
