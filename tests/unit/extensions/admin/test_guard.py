"""Who may ask the admin endpoint."""

import pytest

from bridge.extensions.admin.guard import (
    HEADERS,
    LOCAL_NAMES,
    is_foreign_request,
    is_known_host,
    listens_everywhere,
)


@pytest.mark.parametrize("asked", ["localhost:13134", "127.0.0.1", "[::1]:1", "LOCALHOST"])
def test_host_of_this_machine_is_known(asked: str) -> None:
    """With and without a port, in any case."""
    assert is_known_host(asked, LOCAL_NAMES)


@pytest.mark.parametrize(
    "asked", ["evil.example", "localhost.evil.example", "", "[::1", "@localhost@x"]
)
def test_host_of_a_stranger_is_refused(asked: str) -> None:
    """A name that merely begins like ours, none at all, or no name."""
    assert not is_known_host(asked, LOCAL_NAMES)


def test_origin_of_another_page_is_foreign() -> None:
    """A browser says whose page sends; programs send no Origin."""
    assert is_foreign_request("http://evil.example", "localhost:1")
    assert not is_foreign_request("http://localhost:1", "localhost:1")
    assert not is_foreign_request(None, "localhost:1")


def test_headers_allow_no_other_origin() -> None:
    """The page can send what it sees nowhere else."""
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert listens_everywhere("0.0.0.0")
    assert listens_everywhere("")
    assert not listens_everywhere("localhost")
