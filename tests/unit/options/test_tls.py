"""TLS blocks: what they refuse, what they connect, and how they follow changed files."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from pydantic import ValidationError

from bridge.core import ConfigError
from bridge.options import TlsClient, TlsServer


@asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[int]:
    """A server that greets, on a free port."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        with suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def greeted(port: int, context: ssl.SSLContext | None) -> bytes:
    """What the server says, and which certificate it shows."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    try:
        return await reader.read(5)
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


def server(cert_file: object, key_file: object, **more: object) -> TlsServer:
    return TlsServer.model_validate(
        {"cert_file": str(cert_file), "key_file": str(key_file), **more}
    )


def client(**keys: object) -> TlsClient:
    return TlsClient.model_validate(keys)


async def test_client_with_ca_connects(authority) -> None:
    """A client that trusts the authority speaks with a server it certified."""
    cert, key = authority.issue("server")
    async with listening(server(cert, key).context()) as port:
        assert await greeted(port, client(ca_file=str(authority.ca_file)).context()) == b"hello"


async def test_client_without_trust_fails_closed(authority, stranger) -> None:
    """A certificate of another authority is refused unless verification is switched off."""
    cert, key = authority.issue("server")
    async with listening(server(cert, key).context()) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await greeted(port, client(ca_file=str(stranger.ca_file)).context())

        assert await greeted(port, client(insecure_skip_verify=True).context()) == b"hello"


async def test_server_name_override_is_expected(authority) -> None:
    """The overriding name is what the certificate must carry."""
    cert, key = authority.issue("server", host="backend.example")
    ca = str(authority.ca_file)
    async with listening(server(cert, key).context()) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await greeted(port, client(ca_file=ca).context())
        context = client(ca_file=ca, server_name_override="backend.example").context()

        assert await greeted(port, context) == b"hello"


async def test_mutual_tls_demands_client_certificate(authority) -> None:
    """With client_ca_file only clients with a certificate of that authority get an answer."""
    cert, key = authority.issue("server")
    mine, my_key = authority.issue("client")
    ca = str(authority.ca_file)
    async with listening(server(cert, key, client_ca_file=ca).context()) as port:
        known = client(ca_file=ca, cert_file=str(mine), key_file=str(my_key)).context()
        assert await greeted(port, known) == b"hello"

        # In TLS 1.3 the client learns of the refusal only when it reads.
        unknown = b""
        with suppress(ssl.SSLError, OSError):
            unknown = await greeted(port, client(ca_file=ca).context())
        assert unknown == b""


async def test_changed_server_certificate_is_taken(authority, stranger) -> None:
    """A replaced certificate is shown to the next connection without a restart."""
    cert, key = authority.issue("server")
    context = server(cert, key).context()
    trusting_stranger = client(ca_file=str(stranger.ca_file)).context()
    async with listening(context) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await greeted(port, trusting_stranger)
        new_cert, new_key = stranger.issue("new")
        os.replace(new_cert, cert)
        os.replace(new_key, key)

        assert await greeted(port, trusting_stranger) == b"hello"


async def test_broken_replacement_keeps_old_certificate(authority) -> None:
    """Files that cannot be used leave the running certificate in place."""
    cert, key = authority.issue("server")
    context = server(cert, key).context()
    cert.write_text("not a certificate")
    async with listening(context) as port:
        assert await greeted(port, client(ca_file=str(authority.ca_file)).context()) == b"hello"


async def test_changed_client_authority_is_taken(authority, stranger) -> None:
    """A client trusts what its ca_file holds when it connects."""
    cert, key = authority.issue("server")
    ca_file = stranger.ca_file
    context = client(ca_file=str(ca_file)).context()
    async with listening(server(cert, key).context()) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await greeted(port, context)
        ca_file.write_bytes(authority.ca_file.read_bytes())

        assert await greeted(port, context) == b"hello"


async def test_reload_interval_delays_the_look(authority, stranger) -> None:
    """Within reload_interval changed files are not looked at."""
    cert, key = authority.issue("server")
    context = client(ca_file=str(stranger.ca_file), reload_interval="1h").context()
    stranger.ca_file.write_bytes(authority.ca_file.read_bytes())
    async with listening(server(cert, key).context()) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await greeted(port, context)


async def test_pem_text_works_like_files(authority) -> None:
    """Certificates may stand in the configuration itself."""
    cert, key = authority.issue("server")
    context = TlsServer.model_validate(
        {"cert_pem": cert.read_text(), "key_pem": key.read_text()}
    ).context()
    async with listening(context) as port:
        assert (
            await greeted(port, client(ca_pem=authority.ca_file.read_text()).context()) == b"hello"
        )


async def test_alpn_is_offered(authority) -> None:
    """The protocols given are negotiated."""
    cert, key = authority.issue("server")
    context = client(ca_file=str(authority.ca_file)).context(["h2"])
    async with listening(server(cert, key).context(["h2", "http/1.1"])) as port:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
        chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()
        await writer.wait_closed()

        assert chosen == "h2"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda cert, key: cert.unlink(), "tls.cert_file: no such file"),
        (lambda cert, key: key.unlink(), "tls.key_file: no such file"),
        (lambda cert, key: cert.write_text("x"), "no PEM certificate"),
        (lambda cert, key: key.write_text("x"), "no PEM private key"),
        (
            lambda cert, key: cert.write_text(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
            ),
            "damaged",
        ),
    ],
    ids=["no-cert", "no-key", "cert-no-pem", "key-no-pem", "cert-damaged"],
)
def test_server_with_wrong_file_says_which(authority, spoil, words) -> None:
    """Each broken file is named with what is wrong about it."""
    cert, key = authority.issue("server")
    spoil(cert, key)

    with pytest.raises(ConfigError, match=words):
        server(cert, key).context()


def test_server_with_foreign_key_says_so(authority) -> None:
    """A key that belongs to another certificate is told."""
    cert, _ = authority.issue("server")
    _, other = authority.issue("other")

    with pytest.raises(ConfigError, match="does not belong to the certificate"):
        server(cert, other).context()


@pytest.mark.parametrize(("days", "words"), [((-9, -1), "expired at"), ((1, 9), "valid only from")])
def test_certificate_outside_its_time_is_refused(authority, days, words) -> None:
    """An expired certificate, or one from the future, is refused at start with the date."""
    cert, key = authority.issue("server", days=days)

    with pytest.raises(ConfigError, match=words):
        server(cert, key).context()


def test_unreadable_folder_as_file_is_named(authority, tmp_path) -> None:
    """A folder in the place of a file is an error that names it."""
    with pytest.raises(ConfigError, match="cannot read"):
        client(ca_file=str(tmp_path)).context()


def test_insecure_client_speaks_plain_text() -> None:
    """insecure alone means no TLS; a ca_file brings it back, as in the Collector."""
    assert client(insecure=True).plaintext
    assert client(insecure=True).context() is None
    assert not client(insecure=True, ca_file="ca.pem").plaintext


def test_default_client_verifies() -> None:
    """Without any key the system's authorities and the host name are checked, from TLS 1.2 on."""
    context = TlsClient()._build(())

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"cert_file": "a"}, "key_file is missing"),
        ({"key_file": "a"}, "cert_file is missing"),
        ({"ca_file": "a", "ca_pem": "b"}, "either ca_file or ca_pem"),
        ({"min_version": "1.3", "max_version": "1.2"}, "below min_version"),
        ({"cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA25"]}, "did you mean"),
        ({"curve_preferences": ["X25519"]}, "not supported"),
    ],
)
def test_client_block_refuses_contradictions(keys, words) -> None:
    """What cannot work is refused when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        client(**keys)


def test_server_block_needs_certificate() -> None:
    """A listener without a certificate is refused when the configuration is read."""
    with pytest.raises(ValidationError, match="needs cert_file and key_file"):
        TlsServer()


def test_cipher_suites_are_applied(authority) -> None:
    """The suites named for TLS 1.2 are the only ones offered for it."""
    cert, key = authority.issue("server")
    suites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
    context = server(cert, key, cipher_suites=suites)._build(())
    old = {entry["name"] for entry in context.get_ciphers() if entry["protocol"] != "TLSv1.3"}

    assert {"ECDHE-ECDSA-AES256-GCM-SHA384"} == old


def test_secrets_do_not_show() -> None:
    """A private key given as text appears in no rendering of the block."""
    block = client(cert_pem="CERT", key_pem="CANARY")

    assert "CANARY" not in repr(block)
    assert "CANARY" not in str(block.model_dump(mode="json"))
