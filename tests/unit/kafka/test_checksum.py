"""The checksum is the one that brokers compute."""

import pytest
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka import checksum


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksum_of_the_standard(data: bytes, expected: int) -> None:
    """RFC 3720, appendix B.4."""

    assert checksum.crc32c(data) == expected


@given(data=st.binary(max_size=300), start=st.integers(0, 9))
def test_checksum_equals_aiokafkas_at_any_alignment(data: bytes, start: int) -> None:
    """Views that begin anywhere, as batches lie in what was fetched."""
    view = memoryview(bytearray(data))[start:]

    assert checksum.crc32c(view) == calc_crc32c(view)


def test_without_the_compiled_form_aiokafkas_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler and no instruction are no hindrance."""
    monkeypatch.setenv("OTLP_BRIDGE_PURE", "1")

    assert checksum.choose() is calc_crc32c
