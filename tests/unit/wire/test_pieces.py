"""Requests that are filled item by item."""

from bridge.wire.framing import varint
from bridge.wire.pieces import Filling, piece_size
from bridge.wire.shallow import encode_resource, encode_scope, parse

HEADS = (b"\x0a\x02rr", b"\x0a\x02ss")
OTHER = (b"\x0a\x02RR", b"\x0a\x02SS")


def test_size_of_a_piece_is_exact() -> None:
    """Also where lengths need one more byte."""
    for length in (0, 1, 110, 113, 114, 120, 127, 128, 16_000, 16_384):
        item = bytes(length)
        encoded = encode_resource(HEADS[0], [encode_scope(HEADS[1], [item])])

        assert len(encoded) == piece_size(*HEADS, item)
        assert varint(length)


def test_filling_groups_by_envelope_and_bounds_its_size() -> None:
    """Items of one scope share it; the bound is never below the truth."""
    filling = Filling(1000)
    assert filling.empty
    filling.add((0, 0), HEADS, b"a", 1)
    filling.add((0, 0), HEADS, b"b", 1)
    filling.add((0, 1), (HEADS[0], OTHER[1]), b"c", 1)
    filling.add((1, -1), OTHER, None, 0)
    bound = filling.size
    piece = filling.take()

    assert piece.items == 3
    assert len(piece.body) <= bound
    assert [(head, len(scopes)) for head, _, scopes in parse(piece.body)] == [
        (HEADS[0], 2),
        (OTHER[0], 0),
    ]
    assert [items for _, items in parse(piece.body)[0][2]] == [[b"a", b"b"], [b"c"]]
    assert filling.empty
    assert filling.size == 0
