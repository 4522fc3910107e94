"""Skip requests as commit metadata; the commits themselves: tests/integration."""

from bridge.kafka.skipping import decode_skips, encode_skips, skip_group


def test_skips_round_trip() -> None:
    """The offsets that were asked for come back in their order."""
    assert decode_skips(encode_skips([5, 3])) == (5, 3)


def test_skips_of_a_long_history_keep_the_newest() -> None:
    """Old requests make room, so that the metadata never grows too long."""
    text = encode_skips(range(10**12, 10**12 + 200))

    assert len(text) < 4096
    assert decode_skips(text) == tuple(range(10**12 + 100, 10**12 + 200))


def test_skips_in_foreign_metadata_are_none() -> None:
    """Metadata of somebody else asks for nothing."""
    assert decode_skips("") == decode_skips("mine") == ()


def test_skip_group_is_named_after_the_group() -> None:
    """Requests for one group do not reach another."""
    assert skip_group("processing") == "processing.bridge-skip"
