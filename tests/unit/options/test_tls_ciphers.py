"""Cipher suite names."""

import ssl

import pytest

from bridge.options.tls_ciphers import _OPENSSL, openssl_ciphers


def test_every_known_suite_is_known_to_openssl() -> None:
    """Each translated name is accepted by this machine's OpenSSL."""
    for name, translated in _OPENSSL.items():
        if translated:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(openssl_ciphers([name]))


def test_suites_of_tls_1_3_alone_leave_the_default() -> None:
    """TLS 1.3 suites cannot be chosen in Python; naming them is harmless."""
    assert openssl_ciphers(["TLS_AES_128_GCM_SHA256"]) == "DEFAULT"


def test_unknown_suite_suggests_the_nearest() -> None:
    """A misspelt name is answered with the right one."""
    with pytest.raises(ValueError, match="did you mean TLS_RSA_WITH_AES_128_CBC_SHA"):
        openssl_ciphers(["TLS_RSA_WITH_AES_128_CBC_SH"])
    with pytest.raises(ValueError, match=r"unknown cipher suite x$"):
        openssl_ciphers(["x"])
