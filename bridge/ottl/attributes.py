"""
A map of attributes that stays serialized: one ``KeyValue`` after the other, as it came.

The keys are read once, so that finding one is a search in a list; only the value that is asked for
is decoded.
"""

from collections.abc import Callable
from typing import Any

from bridge.ottl import native
from bridge.ottl.codec import (
    decode,
    decode_pairs,
    delimited,
    encode,
    encode_pairs,
    key_prefix,
    split_raw,
    to_text,
)

REMEMBERED_MAX = 4096
"""Keys about which one statement remembers what to do."""

_compiled = native.compiled


class Key:
    """A key as a program looks it up, with all its spellings ready."""

    __slots__ = ("name", "prefix", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.name = text.encode("utf-8", "surrogateescape")
        self.prefix = key_prefix(text)

    def pair(self, value: Any) -> bytes:
        """
        The serialized pair of this key and *value*.

        Raises:
            OttlError: If the value has no place in an attribute.
        """
        if _compiled is not None:
            pair = _compiled.pair(self.prefix, value)
            if pair is not NotImplemented:
                made: bytes = pair
                return made
        return self.raw_pair(encode(value))

    def raw_pair(self, value: bytes) -> bytes:
        """The serialized pair of this key and a serialized *value*."""
        return self.prefix + delimited(b"\x12", value)


class Attributes:
    """
    The attributes of one span, resource, point and so on. Of two equal keys the first counts.

    Args:
        pairs:
            The serialized pairs in order; taken over.
        keys:
            Their keys if they are known; taken over.

    Raises:
        OttlError: If a pair is no valid protobuf.
    """

    __slots__ = ("changed", "keys", "pairs")

    def __init__(self, pairs: list[bytes], keys: list[bytes] | None = None) -> None:
        self.pairs = pairs
        self.keys = keys_of(pairs) if keys is None else keys
        self.changed = False

    def find(self, key: Key) -> int:
        """The index of *key*, or -1."""
        keys, name = self.keys, key.name
        return keys.index(name) if name in keys else -1

    def get(self, key: Key) -> Any:
        """
        The value under *key*; nil if there is none.

        Raises:
            OttlError: If its bytes are no value.
        """
        index = self.find(key)
        return None if index < 0 else _read(self.pairs[index])

    def get_raw(self, key: Key) -> bytes | None:
        """The serialized value under *key*."""
        index = self.find(key)
        return None if index < 0 else split_raw(self.pairs[index])[1]

    def set(self, key: Key, value: Any) -> None:
        """
        Put *value* under *key*, in its place or at the end.

        Raises:
            OttlError: If the value has no place in an attribute.
        """
        self.put(key, key.pair(value))

    def put(self, key: Key, pair: bytes) -> None:
        """Put an already serialized *pair* of *key*."""
        if _compiled is not None:
            if _compiled.put(self.keys, self.pairs, key.name, pair):
                self.changed = True
            return
        index = self.find(key)
        if index < 0:
            self.pairs.append(pair)
            self.keys.append(key.name)
        elif self.pairs[index] == pair:
            return
        else:
            self.pairs[index] = pair
        self.changed = True

    def remove(self, key: Key) -> None:
        """Remove *key* if it is there."""
        if _compiled is not None:
            if _compiled.discard(self.keys, self.pairs, key.name):
                self.changed = True
            return
        index = self.find(key)
        if index >= 0:
            del self.pairs[index], self.keys[index]
            self.changed = True

    def keep(self, wanted: Callable[[str], bool], answers: dict[bytes, bool]) -> None:
        """
        Drop the pairs whose key is not *wanted*.

        Args:
            answers:
                What *wanted* said about keys before; kept by the caller for as long as it says the
                same. At most `REMEMBERED_MAX` stay.
        """
        kept = None if _compiled is None else _compiled.kept(self.keys, self.pairs, answers)
        keys, pairs = self._kept(wanted, answers) if kept is None else kept
        if len(keys) != len(self.keys):
            self.keys, self.pairs = keys, pairs
            self.changed = True

    def _kept(
        self, wanted: Callable[[str], bool], answers: dict[bytes, bool]
    ) -> tuple[list[bytes], list[bytes]]:
        if len(answers) > REMEMBERED_MAX:
            answers.clear()
        keys, pairs = [], []
        for name, pair in zip(self.keys, self.pairs, strict=True):
            answer = answers.get(name)
            if answer is None:
                answer = answers[name] = wanted(to_text(name))
            if answer:
                keys.append(name)
                pairs.append(pair)
        return keys, pairs

    def rewrite_texts(self, change: Callable[[str], str | None], above: int = 0) -> None:
        """
        Give each text value to *change*; what it returns replaces it, None leaves it.

        Args:
            above:
                Texts of so many bytes or less need not be given.
        """
        if _compiled is not None and above and not _compiled.any_longer(self.pairs, above):
            return
        for index, pair in enumerate(self.pairs):
            if len(pair) <= above:
                continue
            key, data = split_raw(pair)
            if data[:1] != b"\x0a":
                continue
            text = decode(data)
            changed = change(text) if type(text) is str else None
            if changed is not None and changed != text:
                self.pairs[index] = Key(to_text(key)).pair(changed)
                self.changed = True

    def to_map(self) -> dict[str, Any]:
        """A map of its own with all values decoded."""
        return decode_pairs(self.pairs)

    def replace(self, values: dict[str, Any]) -> None:
        """
        Become *values*.

        Raises:
            OttlError: If a value has no place in an attribute.
        """
        pairs = encode_pairs(values)
        if pairs != self.pairs:
            self.pairs = pairs
            self.keys = keys_of(pairs)
            self.changed = True


def keys_of(pairs: list[bytes]) -> list[bytes]:
    """
    The keys of serialized pairs, in order.

    Raises:
        OttlError: If a pair is no valid protobuf.
    """
    found: list[bytes] | None = None if _compiled is None else _compiled.keys(pairs)
    return [split_raw(pair)[0] for pair in pairs] if found is None else found


def _read(pair: bytes) -> Any:
    """The value of a pair."""
    if _compiled is not None:
        value = _compiled.read(pair)
        if value is not NotImplemented:
            return value
    return decode(split_raw(pair)[1])
