"""
A map of attributes that stays serialized: one ``KeyValue`` after the other, as it came.

Reading one key costs a few byte comparisons; only its value is decoded. The spans of one sender
have their attributes in one order, so each place in a program remembers where its key was last.
"""

from collections.abc import Callable, Iterator
from typing import Any

from bridge.ottl import native
from bridge.ottl.codec import (
    decode,
    decode_pairs,
    delimited,
    encode,
    encode_pairs,
    key_prefix,
    split_pair,
)

_VALUE = 0x12

REMEMBERED_MAX = 4096
"""Keys about which one statement remembers what to do."""

_compiled = native.compiled


class Key:
    """A key as a program looks it up, with all its spellings ready. One instance a place."""

    __slots__ = ("hint", "name", "prefix", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.name = text.encode("utf-8", "surrogateescape")
        self.prefix = key_prefix(text)
        self.hint = 0

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
    The attributes of one span, resource, point and so on.

    Args:
        pairs:
            The serialized pairs in order; taken over.
    """

    __slots__ = ("changed", "pairs")

    def __init__(self, pairs: list[bytes]) -> None:
        self.pairs = pairs
        self.changed = False

    def find(self, key: Key) -> int:
        """The index of *key*, or -1."""
        if _compiled is None:
            return self._find(key)
        index: int = _compiled.find(self.pairs, key.name, key.hint)
        if index >= 0:
            key.hint = index
        return index

    def _find(self, key: Key) -> int:
        pairs, prefix, hint = self.pairs, key.prefix, key.hint
        if hint < len(pairs) and pairs[hint].startswith(prefix):
            return hint
        for index, pair in enumerate(pairs):
            if pair.startswith(prefix):
                key.hint = index
                return index
        # Some senders write the key behind the value, or lay it out strangely.
        for index, pair in enumerate(pairs):
            if pair[:1] != b"\x0a" and split_pair(pair)[0] == key.text:
                key.hint = index
                return index
        return -1

    def get(self, key: Key) -> Any:
        """The value under *key*; nil if there is none."""
        index = self.find(key)
        return None if index < 0 else self.value_at(index, key)

    def value_at(self, index: int, key: Key) -> Any:
        """The value of the pair of *key* at *index*."""
        pair = self.pairs[index]
        if _compiled is not None:
            value = _compiled.read(pair)
            if value is not NotImplemented:
                return value
        return decode(_value_of(pair, key.prefix))

    def get_raw(self, key: Key) -> bytes | None:
        """The serialized value under *key*."""
        index = self.find(key)
        return None if index < 0 else _value_of(self.pairs[index], key.prefix)

    def set(self, key: Key, value: Any) -> None:
        """
        Put *value* under *key*, in its place or at the end.

        Raises:
            OttlError: If the value has no place in an attribute.
        """
        self.put(key, key.pair(value))

    def put(self, key: Key, pair: bytes) -> None:
        """Put an already serialized *pair* of *key*."""
        index = self.find(key)
        if index < 0:
            self.pairs.append(pair)
        elif self.pairs[index] == pair:
            return
        else:
            self.pairs[index] = pair
        self.changed = True

    def remove(self, key: Key) -> None:
        """Remove *key* if it is there."""
        index = self.find(key)
        if index >= 0:
            del self.pairs[index]
            self.changed = True

    def keys(self) -> Iterator[str]:
        """The keys in order."""
        for pair in self.pairs:
            yield split_pair(pair)[0]

    def keep(self, wanted: Callable[[str], bool], answers: dict[bytes, bool]) -> None:
        """
        Drop the pairs whose key is not *wanted*.

        Args:
            answers:
                What *wanted* said about keys before; kept by the caller for as long as it says the
                same. At most `REMEMBERED_MAX` stay.
        """
        kept = None if _compiled is None else _compiled.kept(self.pairs, answers)
        if kept is None:
            kept = self._kept(wanted, answers)
        if len(kept) != len(self.pairs):
            self.pairs = kept
            self.changed = True

    def _kept(self, wanted: Callable[[str], bool], answers: dict[bytes, bool]) -> list[bytes]:
        if len(answers) > REMEMBERED_MAX:
            answers.clear()
        kept = []
        for pair in self.pairs:
            key = split_pair(pair)[0]
            name = key.encode("utf-8", "surrogateescape")
            answer = answers.get(name)
            if answer is None:
                answer = answers[name] = wanted(key)
            if answer:
                kept.append(pair)
        return kept

    def rewrite_texts(self, change: Callable[[str], str | None], above: int = 0) -> None:
        """
        Give each text value to *change*; what it returns replaces it, None leaves it.

        Args:
            above:
                Texts of so many bytes or less need not be given.
        """
        for index, pair in enumerate(self.pairs):
            if len(pair) <= above:
                continue
            key, data = split_pair(pair)
            if data[:1] != b"\x0a":
                continue
            text = decode(data)
            changed = change(text) if type(text) is str else None
            if changed is not None and changed != text:
                self.pairs[index] = Key(key).pair(changed)
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
            self.changed = True


def _value_of(pair: bytes, prefix: bytes) -> bytes:
    """The serialized value of a pair that begins or ends with *prefix*."""
    at = len(prefix)
    if pair.startswith(prefix):
        if len(pair) > at + 1 and pair[at] == _VALUE:
            size = pair[at + 1]
            if size < 0x80 and at + 2 + size == len(pair):
                return pair[at + 2 :]
    elif pair.endswith(prefix) and pair[0] == _VALUE and pair[1] == len(pair) - at - 2 < 0x80:
        # Without the tag it could be any field that a later version puts in front of the key.
        return pair[2:-at]
    return split_pair(pair)[1]
