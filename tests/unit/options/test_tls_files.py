"""Reading certificates: validity, fingerprints, and what is wrong with a file."""

import os
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bridge.core import ConfigError
from bridge.options.tls_files import fingerprint, read_pem, validity


def test_validity_agrees_with_cryptography(authority) -> None:
    """From and until are those that an independent parser reads."""
    for days in ((-1, 30), (-400, -3), (5, 20_000)):  # The last one is beyond 2049.
        cert, _ = authority.issue("server", days=days)
        parsed = x509.load_pem_x509_certificate(cert.read_bytes())
        der = parsed.public_bytes(serialization.Encoding.DER)

        assert validity(der) == (parsed.not_valid_before_utc, parsed.not_valid_after_utc)


def test_validity_of_nonsense_is_an_error() -> None:
    """Bytes that are no certificate raise instead of giving a date."""
    for data in (b"", b"\x30\x03\x02\x01\x01", b"\x30\x82\xff\xff", b"\xff" * 50):
        with pytest.raises((ValueError, IndexError)):
            validity(data)


def test_fingerprint_changes_with_the_file(tmp_path) -> None:
    """A rewritten or replaced file looks different; a missing one is no error."""
    path = tmp_path / "file"
    assert fingerprint([str(path)]) == ((0, 0, 0),)
    path.write_text("a")
    first = fingerprint([str(path)])
    other = tmp_path / "other"
    other.write_text("a")
    os.replace(other, path)

    assert fingerprint([str(path)]) != first


def test_unreadable_file_names_our_user(tmp_path, monkeypatch) -> None:
    """Missing rights are told with the user id that needs them."""

    def refuse(self) -> bytes:
        raise PermissionError(13, "no")

    monkeypatch.setattr("bridge.options.tls_files.Path.read_bytes", refuse)

    with pytest.raises(ConfigError, match=f"readable by uid {os.geteuid()}"):
        read_pem(str(tmp_path / "key.pem"), "tls.key_file")


def test_dates_have_a_time_zone(authority) -> None:
    """Dates compare with now."""
    cert, _ = authority.issue("server")
    der = x509.load_pem_x509_certificate(cert.read_bytes()).public_bytes(serialization.Encoding.DER)
    starts, ends = validity(der)

    assert starts < datetime.now(UTC) < ends
