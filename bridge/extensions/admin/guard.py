"""Who may ask, and what an answer allows a browser to do. Pure."""

from collections.abc import Collection
from urllib.parse import urlsplit

LOCAL_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: the page is one file, fetches only from where it came, and is framed nowhere."""


def listens_everywhere(host: str) -> bool:
    """Whether *host* of an endpoint means every interface."""
    return host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


def is_known_host(asked: str, names: Collection[str]) -> bool:
    """
    Whether the Host header *asked* names us.

    A page of a stranger can point a name of its own at this machine and read what is here through
    its visitor's browser; the browser then sends that name.
    """
    try:
        name = urlsplit(f"//{asked}").hostname
    except ValueError:
        return False
    return name is not None and name in names


def is_foreign_request(origin: str | None, asked: str) -> bool:
    """Whether a browser sent this from the page of somebody else (header Origin)."""
    return origin is not None and urlsplit(origin).netloc != asked
