"""Filling requests with items one by one, as long as a limit allows."""

from bridge.wire.framing import varint_size
from bridge.wire.shallow import encode_resource, encode_scope
from bridge.wire.split import Piece

_TAG_BYTES = 1  # All field numbers of the envelopes are below 16.


def piece_size(resource_head: bytes, scope_head: bytes, item: bytes) -> int:
    """The exact size in bytes of a request that holds nothing but *item* in its envelopes."""
    scope = len(scope_head) + _framed(len(item))
    return _framed(len(resource_head) + _framed(scope))


def _framed(content_bytes: int) -> int:
    return _TAG_BYTES + varint_size(content_bytes) + content_bytes


class Filling:
    """
    A request that grows by items, in the order in which they are offered.

    `size` is an upper bound of the encoded size in bytes: each length is taken as long as it can
    become under *bytes_max*, so that nothing has to be counted again when an envelope grows.
    """

    def __init__(self, bytes_max: int) -> None:
        self._frame = _TAG_BYTES + varint_size(max(bytes_max, 1))
        # What changes: the envelopes so far, the open ones last.
        self._resources: list[tuple[bytes, list[bytes]]] = []
        self._scopes: list[tuple[bytes, list[bytes]]] = []
        self._open: tuple[int, int] | None = None
        self.size = 0
        self.weight = 0

    @property
    def empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self._resources

    def cost(self, where: tuple[int, int], heads: tuple[bytes, bytes], item: bytes | None) -> int:
        """Bytes that adding *item* would add at most; *where* numbers its resource and scope."""
        cost = 0 if item is None else self._frame + len(item)
        if self._open is None or self._open[0] != where[0]:
            cost += self._frame + len(heads[0])
        if self._open != where and where[1] >= 0:
            cost += self._frame + len(heads[1])
        return cost

    def add(
        self, where: tuple[int, int], heads: tuple[bytes, bytes], item: bytes | None, weight: int
    ) -> None:
        """Add *item*, or only its envelopes if it is `None`; a scope number -1 means no scope."""
        self.size += self.cost(where, heads, item)
        self.weight += weight
        if self._open is None or self._open[0] != where[0]:
            self._close_scopes()
            self._resources.append((heads[0], []))
        if self._open != where and where[1] >= 0:
            self._scopes.append((heads[1], []))
        self._open = where
        if item is not None:
            self._scopes[-1][1].append(item)

    def take(self) -> Piece:
        """The request so far; the filling is empty afterwards."""
        self._close_scopes()
        body = b"".join(encode_resource(head, scopes) for head, scopes in self._resources)
        piece = Piece(body, self.weight)
        self._resources, self._open, self.size, self.weight = [], None, 0, 0
        return piece

    def _close_scopes(self) -> None:
        if self._scopes:
            self._resources[-1][1].extend(encode_scope(head, own) for head, own in self._scopes)
            self._scopes = []
