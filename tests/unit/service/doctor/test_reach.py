"""`bridge.service.doctor.reach`: when certificates end, with real handshakes."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.service.doctor.reach import judge_certificate
from tests.certificates import build

PEM = serialization.Encoding.PEM


def named(name: str) -> x509.Name:
    """A subject."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def write_chain(folder: Path, *, root: int, middle: int, own: int) -> None:
    """Files of a server whose certificate comes from an intermediate of a root, with their days."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    names = [named(name) for name in ("the root", "the middle", "broker")]
    certificates = [
        build(names[0], names[0], keys[0], keys[0], authority=True, days=root),
        build(names[1], names[0], keys[1], keys[0], authority=True, days=middle),
        build(names[2], names[1], keys[2], keys[1], authority=False, days=own),
    ]
    (folder / "root.pem").write_bytes(certificates[0].public_bytes(PEM))
    private = keys[2].private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = certificates[2].public_bytes(PEM) + certificates[1].public_bytes(PEM)
    (folder / "server.pem").write_bytes(private + chain)


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[int]:
    """A TLS server with that chain; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def judged(folder: Path, **days: int) -> list[tuple[str, str]]:
    """Code and cause of each finding."""
    write_chain(folder, **days)
    context = ssl.create_default_context(cafile=str(folder / "root.pem"))
    async with listening(folder) as port:
        found = await judge_certificate("broker", "127.0.0.1", port, context, 10.0)
    return [(one.code, one.cause) for one in found]


async def test_chain_that_lasts_is_ok(tmp_path: Path) -> None:
    """With the days that the broker's own has."""
    ((code, cause),) = await judged(tmp_path, root=900, middle=400, own=90)

    assert (code, "good for 90 days" in cause) == ("BR-3000", True)


async def test_intermediate_that_ends_soon_is_named(tmp_path: Path) -> None:
    """The broker's own certificate is good for long, and will not be accepted any more."""
    ((code, cause),) = await judged(tmp_path, root=900, middle=3, own=90)

    assert code == "BR-3105"
    assert "comes from the middle, whose own ends in 3.0 days" in cause


async def test_root_that_ends_soon_is_named(tmp_path: Path) -> None:
    """It is in the files of every client."""
    ((code, cause),) = await judged(tmp_path, root=5, middle=400, own=90)

    assert code == "BR-3105"
    assert "the root" in cause


async def test_own_certificate_that_ends_first_is_enough_to_name(tmp_path: Path) -> None:
    """Whoever renews it looks at the others as well."""
    ((code, cause),) = await judged(tmp_path, root=10, middle=10, own=2)

    assert (code, "its certificate ends in 2.0 days" in cause) == ("BR-3105", True)
