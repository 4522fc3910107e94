"""Key material for TLS: finding it, checking it, and saying which file is wrong and why."""

import base64
import binascii
import os
import re
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bridge.core import ConfigError

_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.+?)-----END", re.DOTALL
)
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")

Fingerprint = tuple[tuple[int, int, int], ...]
"""Inode, size and modification time (ns) of files; differs when one was replaced or rewritten."""


@dataclass(frozen=True, slots=True)
class Pem:
    """PEM text and what the user calls it: a path, or the key that held it inline."""

    label: str
    data: bytes


def read_pem(path: str, key: str) -> Pem:
    """
    Read one PEM file named by the configuration key *key*.

    Raises:
        ConfigError: If the file is missing, may not be read, or is a folder.
    """
    try:
        return Pem(f"{key} {path}", Path(path).read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(f"{key}: no such file: {path}") from error
    except PermissionError as error:
        raise ConfigError(
            f"{key}: no permission to read {path}: it must be readable by uid {os.geteuid()}"
        ) from error
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}") from error


def fingerprint(paths: Sequence[str]) -> Fingerprint:
    """What the files look like now; an unreadable one counts as zeros."""
    found = []
    for path in paths:
        try:
            facts = os.stat(path)
            found.append((facts.st_ino, facts.st_size, facts.st_mtime_ns))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


def trust(context: ssl.SSLContext, authorities: Pem) -> None:
    """
    Let *context* trust the certificates in *authorities*.

    Raises:
        ConfigError: If there is no certificate in it, or one cannot be read.
    """
    _check_certificates(authorities, expired_is_wrong=False)
    try:
        context.load_verify_locations(cadata=authorities.data.decode("ascii", "ignore"))
    except ssl.SSLError as error:
        raise ConfigError(f"{authorities.label}: no usable CA certificate: {error}") from error


def identify(context: ssl.SSLContext, certificate: Pem, key: Pem) -> None:
    """
    Give *context* the certificate chain and private key that it shows to the other side.

    Raises:
        ConfigError: If either is no PEM, they do not belong together, the key is protected by a
            passphrase, or the certificate is expired or not valid yet.
    """
    _check_certificates(certificate, expired_is_wrong=True)
    if not _PRIVATE_KEY.search(key.data):
        raise ConfigError(f"{key.label}: no PEM private key (-----BEGIN PRIVATE KEY-----) in it")
    with _on_disk(certificate.data) as chain_path, _on_disk(key.data) as key_path:
        try:
            # The empty password keeps OpenSSL from asking on the terminal.
            context.load_cert_chain(chain_path, key_path, password=lambda: "")
        except ssl.SSLError as error:
            raise ConfigError(_explain_pair(certificate, key, error)) from error


def _explain_pair(certificate: Pem, key: Pem, error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if b"ENCRYPTED" in key.data:
        return f"{key.label}: the private key has a passphrase: store it without one"
    if "MISMATCH" in reason:
        return (
            f"{key.label}: the private key does not belong to the certificate {certificate.label}"
        )
    return f"{certificate.label}, {key.label}: cannot be used together: {reason or error}"


def _check_certificates(pem: Pem, *, expired_is_wrong: bool) -> None:
    blocks = _CERTIFICATE.findall(pem.data)
    if not blocks:
        raise ConfigError(f"{pem.label}: no PEM certificate (-----BEGIN CERTIFICATE-----) in it")
    try:
        starts, ends = validity(base64.b64decode(b"".join(blocks[0].split()), validate=True))
    except (ValueError, IndexError, binascii.Error) as error:
        raise ConfigError(f"{pem.label}: the first certificate in it is damaged") from error
    now = datetime.fromtimestamp(time.time(), UTC)
    if expired_is_wrong and ends < now:
        raise ConfigError(f"{pem.label}: the certificate expired at {ends:%Y-%m-%d %H:%M} UTC")
    if expired_is_wrong and starts > now:
        raise ConfigError(
            f"{pem.label}: the certificate is valid only from {starts:%Y-%m-%d %H:%M} UTC"
        )


def validity(certificate: bytes) -> tuple[datetime, datetime]:
    """
    From when until when a DER certificate is valid. `ssl` reads that only after a handshake.

    Raises:
        ValueError, IndexError: If the bytes are no certificate.

    Source:
        RFC 5280 section 4.1
    """
    _, body, _ = _element(certificate, 0)
    _, tbs, _ = _element(certificate, body)
    tag, _, stop = _element(certificate, tbs)
    position = stop if tag == 0xA0 else tbs  # The version is optional.
    for _ in range(3):  # Serial number, signature algorithm, issuer.
        _, _, position = _element(certificate, position)
    _, inside, _ = _element(certificate, position)
    starts, position = _time(certificate, inside)
    ends, _ = _time(certificate, position)
    return starts, ends


def _element(data: bytes, position: int) -> tuple[int, int, int]:
    """Tag, start of the content and end of the content of the DER element at *position*."""
    tag, length, start = data[position], data[position + 1], position + 2
    if length & 0x80:
        width = length & 0x7F
        length = int.from_bytes(data[start : start + width], "big")
        start += width
    if start + length > len(data):
        raise ValueError("truncated")
    return tag, start, start + length


def _time(data: bytes, position: int) -> tuple[datetime, int]:
    tag, start, stop = _element(data, position)
    text = data[start:stop].decode("ascii")
    if tag == 0x17:  # UTCTime has two digits of the year; 50 and more is the last century.
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), stop


@contextmanager
def _on_disk(data: bytes) -> Iterator[str]:
    """A private file with *data*, since OpenSSL reads keys from files only and users give text."""
    with tempfile.NamedTemporaryFile(prefix="otlp-bridge-") as file:
        file.write(data)
        file.flush()
        yield file.name
